//! `probes` in CEL: what it requires, on CREATE alone, since a Pod cannot be given a probe later.

use super::{Judgement, cel::Variable};
use crate::policy::Probes;

pub fn judge(settings: &Probes, judgement: &Judgement<'_>) -> Vec<Variable> {
    let listens = "c.kind in ['container', 'sidecar']\n    \
                   && c.of.?ports.orValue([]).exists(p, p.?protocol.orValue('TCP') in ['', 'TCP'])";
    let listening = format!("variables.containers.filter(c, {listens}{})", judgement.exemptions.none_covers());
    let mut lists: Vec<String> =
        settings.require.iter().map(|kind| words(kind.field(), &judgement.signature())).collect();
    if lists.is_empty() {
        lists.push("[]".to_owned());
    }
    let request = "request.operation == 'CREATE'\n&& !variables.isBatch\n&& variables.isSmall";
    vec![
        Variable::new("isBatch", IS_BATCH),
        is_small(),
        Variable::new("listening", listening),
        judgement.conclusion(request, &lists),
    ]
}

/// A Pod that runs to its end.
const IS_BATCH: &str = "!(variables.pod.?spec.?restartPolicy.orValue('') in ['', 'Always'])\n\
                        || request.kind.kind in ['Job', 'CronJob']\n\
                        || request.kind.kind == 'Pod' && dyn(object).?metadata.?ownerReferences.orValue([])\n  \
                        .exists(o, o.?controller.orValue(false) && o.kind == 'Job')";

/// Of larger Pods podfit asks nothing that could be injected.
pub fn is_small() -> Variable {
    Variable::new("isSmall", "size(variables.containers.filter(c, c.kind != 'volume')) <= 1000")
}

fn words(field: &str, signature: &str) -> String {
    format!(
        "variables.listening.filter(c, !c.of.?{field}.hasValue())\n    \
         .map(c, c.kind + ' \"' + c.of.name + '\" declares a TCP port and has no {field}; add one'\n      + {signature})"
    )
}
