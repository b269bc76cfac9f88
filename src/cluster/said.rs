//! What has been told the log: each trouble once. Whoever keeps something looks every few seconds, and troubles last.

use std::collections::BTreeMap;

use tracing::{info, warn};

#[derive(Default)]
pub(super) struct Said(BTreeMap<&'static str, String>);

impl Said {
    /// A warning when it changes, a line when it is over, and silence while it lasts.
    pub(super) fn say(&mut self, topic: &'static str, trouble: Option<String>) {
        match trouble.map(|text| text.replace(char::is_control, " ")) {
            Some(text) if self.0.get(topic) == Some(&without_numbers(&text)) => {}
            Some(text) => {
                warn!(reason = %text, "{topic}");
                self.0.insert(topic, without_numbers(&text));
            }
            None if self.0.remove(topic).is_some() => info!("no longer so: {topic}"),
            None => {}
        }
    }
}

/// Times and ports in a reason are others at each look.
fn without_numbers(text: &str) -> String {
    text.replace(|character: char| character.is_ascii_digit(), "")
}
