//! `pod-identity` in CEL: variables that a policy demands instead of injecting them, on CREATE alone.

use super::{
    Judgement,
    cel::{self, Variable},
    probes,
};
use crate::{
    policy::{EnvFrom, PodIdentity},
    rules::Rule,
    wishes,
};

pub fn judge(settings: &PodIdentity, judgement: &Judgement<'_>) -> Vec<Variable> {
    let mut lists: Vec<String> =
        settings.variables.iter().map(|(name, path)| missing(name, path, settings, judgement)).collect();
    if lists.is_empty() {
        lists.push("[]".to_owned());
    }
    let request = "request.operation == 'CREATE'\n&& variables.isSmall";
    vec![
        Variable::new("isWindows", IS_WINDOWS),
        Variable::new(
            "unwanted",
            format!("variables.pod.?metadata.?annotations[?'{}'].orValue('').split(',')", wishes::SKIP),
        ),
        probes::is_small(),
        judgement.conclusion(request, &lists),
    ]
}

/// Its environment knows no case.
const IS_WINDOWS: &str = "variables.pod.?spec.?os.?name.orValue('') == 'windows'\n\
                          || variables.pod.?spec.?nodeSelector[?'kubernetes.io/os'].orValue('') == 'windows'";

fn missing(name: &str, path: &str, settings: &PodIdentity, judgement: &Judgement<'_>) -> String {
    let (this, lower) = (cel::quoted(name), cel::quoted(&name.to_ascii_lowercase()));
    let set = format!(
        "c.of.?env.orValue([]).exists(e, e.name == {this} || variables.isWindows && e.name.lowerAscii() == {lower})"
    );
    let may_come = match settings.env_from {
        EnvFrom::Inject => String::new(),
        EnvFrom::Skip => {
            format!("\n    && !c.of.?envFrom.orValue([]).exists(s, {this}.startsWith(s.?prefix.orValue('')))")
        }
    };
    let lacks = cel::quoted(&format!("\" lacks {name} = {path} (downward API)"));
    format!(
        "variables.containers.filter(c, !(c.kind in ['ephemeral container', 'volume'])\n    \
         && !{set}{may_come}\n    && !{}{})\n    .map(c, c.kind + ' \"' + c.of.name + {lacks} + {})",
        is_unwanted(name),
        judgement.exemptions.none_covers(),
        judgement.signature()
    )
}

/// An entry of the annotation `podfit.dev/skip`: `WORD` or `container=WORD`.
fn is_unwanted(name: &str) -> String {
    let words = [name, Rule::PodIdentity.id(), "all"].into_iter().filter(|word| wishes::can_be_skipped(word));
    let words = cel::list(words);
    format!(
        "variables.unwanted.exists(w, w.contains('=')\n      \
         ? w.substring(0, w.indexOf('=')).trim() == c.of.name && w.substring(w.indexOf('=') + 1).trim() in {words}\n      \
         : w.trim() in {words})"
    )
}
