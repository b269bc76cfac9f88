//! `podfit rules`: lists the rules, or prints the page of one.

use std::io::Write;

use anyhow::bail;
use clap::Args;

use super::Outcome;
use crate::{rules::Rule, runtimes};

/// Lists the rules; explains one
#[derive(Debug, Args)]
pub(super) struct Rules {
    /// A rule's id
    id: Option<String>,
}

impl Rules {
    pub(super) fn run(self, output: &mut dyn Write) -> anyhow::Result<Outcome> {
        match self.id {
            None => {
                for rule in Rule::ALL {
                    writeln!(output, "{:16} {:16} {}", rule.id(), rule.policy_key(), rule.summary())?;
                }
            }
            Some(id) => {
                let Some(rule) = Rule::from_id(&id) else {
                    let known: Vec<_> = Rule::ALL.iter().map(|rule| rule.id()).collect();
                    bail!("there is no rule {id:?}; write one of {}", known.join(", "));
                };
                writeln!(output, "{}", rule.page())?;
                if rule == Rule::RuntimeSizing {
                    write!(output, "\n{}", catalogue())?;
                }
            }
        }
        Ok(Outcome::NothingDenied)
    }
}

/// The runtime catalogue in words.
fn catalogue() -> String {
    let mut text = String::from("Runtimes:\n");
    for runtime in runtimes::ALL {
        text.push_str(&format!("\n{}: {}\n", runtime.name, runtime.about));
        for variable in runtime.variables {
            text.push_str(&format!("  {}: {}\n", variable.name, variable.about));
        }
    }
    text
}
