//! A `SizingPolicy` object of the cluster, read as a file would be. `cluster` and the command line's `scan` call this.

use serde_json::{Value, json};

use crate::{
    manifest,
    policy::{self, API_VERSION, KIND, Policy},
};

/// Status conditions hold 32 KiB of message; nobody reads so much.
const LONGEST: usize = 2_000;

/// # Errors
/// All its mistakes, each with the path of its field, on one line.
pub fn compile(name: &str, spec: &Value) -> Result<Policy, String> {
    let text = json!({"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": name}, "spec": spec}).to_string();
    let document = match manifest::read(&text).pop() {
        Some(Ok(document)) => document,
        Some(Err(error)) => return Err(error.message),
        None => return Err("holds nothing".to_owned()),
    };
    policy::compile(&document.node).map_err(|mistakes| {
        let told: Vec<String> =
            mistakes.iter().map(|mistake| format!("{}: {}", mistake.path, mistake.message)).collect();
        shortened(&told.join("; "))
    })
}

fn shortened(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    format!("{} ...", &text[..text.floor_char_boundary(LONGEST)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_as_a_file_is() {
        let policy = compile("shop", &json!({"priority": 3, "imageTag": {"forbidden": ["latest", "dev-*"]}})).unwrap();
        assert_eq!((policy.name.as_str(), policy.priority), ("shop", 3));
    }

    #[test]
    fn all_mistakes_are_told_on_one_line() {
        let spec = json!({"imageTags": {}, "templates": "Refuse"});
        let expected = "spec.imageTags: is not known; did you mean `imageTag`? Known here: priority, match, templates, \
                        resourceLimits, imageTag, podIdentity, runtimeSizing, probes or exemptions; spec.templates: must be \
                        Deny, Warn, Audit or Disabled, not `Refuse`";
        assert_eq!(compile("shop", &spec).unwrap_err(), expected);
    }

    #[test]
    fn many_mistakes_are_cut() {
        let names: Vec<String> = (0..200).map(|index| format!("É{index}")).collect();
        let told = compile("shop", &json!({"match": {"namespaces": names}})).unwrap_err();
        assert!(told.len() <= LONGEST + 4 && told.ends_with(" ..."), "{told}");
    }
}
