//! The shared cases, each judged once by podfit and once by the API server with the exported policies, on the object that the
//! API server makes of it. All policies are installed at once, and a label on the object says which of them are meant.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use podfit::{
    admission::{self, Phase, Settings},
    manifest, policies,
    policy::{Policy, PolicySet, Rulebook, compile},
};
use serde_json::Value;

use crate::{
    Bench,
    case::{self, Case, Ground},
    cluster::Cluster,
    exported::{self, MEANT},
    left_out::{REFUSED_BY_THE_API, TOO_SLOW, UNSAID},
    request::Request,
};

/// Policies that stand for themselves, and the day and the labels that they are judged with.
struct Court<'c> {
    name: String,
    policies: PolicySet,
    ground: Option<&'c Ground>,
}

/// Every case under its own policies, under each of deploy/policies and those that the chart installs together, and under those
/// of `courts.yaml`.
pub fn every_case(bench: &Bench) {
    let cases = case::all();
    let own = own_courts(&cases);
    let others: Vec<Court<'_>> = shipped_courts().into_iter().chain(written_courts()).collect();
    let cluster = bench.cluster();
    let installed: Vec<_> = own.iter().chain(&others).map(Court::export).collect();
    exported::install(cluster, &installed);
    let mut outcomes = Outcomes::default();
    for (index, case) in cases.iter().enumerate().filter(|(_, case)| !TOO_SLOW.contains(&case.name.as_str())) {
        match Request::prepare(cluster, case, &format!("case-{index}")) {
            Err(why) => outcomes.refused_by_the_api.push((case.name.clone(), why.chars().take(200).collect())),
            Ok(request) => {
                let of_case = own.iter().find(|court| court.ground == Some(&case.ground)).unwrap();
                // The API server has a clock of its own.
                let of_case = Some(of_case).filter(|_| case.ground.today.is_none());
                for court in of_case.into_iter().chain(&others) {
                    outcomes.note(case, court, denies(court, case, &request), is_refused(cluster, court, &request));
                }
            }
        }
    }
    outcomes.check(cluster.minor());
}

fn own_courts(cases: &[Case]) -> Vec<Court<'_>> {
    let grounds: BTreeSet<&Ground> = cases.iter().map(|case| &case.ground).collect();
    let numbered = grounds.into_iter().enumerate();
    numbered
        .map(|(index, ground)| Court {
            name: format!("own-{index}"),
            policies: ground.policies(),
            ground: Some(ground),
        })
        .collect()
}

fn shipped_courts() -> Vec<Court<'static>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/policies");
    let mut files: Vec<Vec<String>> =
        fs::read_dir(&folder).unwrap().map(|entry| vec![entry.unwrap().file_name().into_string().unwrap()]).collect();
    files.sort();
    for preset in ["default", "strict"] {
        let together = ["http-services", "node-debug", preset].map(|name| format!("{name}.yaml"));
        files.push(together.into());
    }
    files
        .iter()
        .map(|names| {
            let together = tempfile::tempdir().unwrap();
            for name in names {
                fs::copy(folder.join(name), together.path().join(name)).unwrap();
            }
            let name = names.join("-").replace(".yaml", "");
            Court { name, policies: policies::load(together.path()).unwrap(), ground: None }
        })
        .collect()
}

fn written_courts() -> Vec<Court<'static>> {
    let mut courts: BTreeMap<String, Vec<Policy>> = BTreeMap::new();
    for document in manifest::read(include_str!("courts.yaml")) {
        let node = document.unwrap().node;
        let court = ["metadata", "labels", "court"].iter().fold(&node, |node, key| node.get(key).unwrap());
        courts.entry(court.as_text().unwrap().to_owned()).or_default().push(compile(&node).unwrap());
    }
    let court = |(name, policies)| Court { name, policies: PolicySet::new(policies).unwrap(), ground: None };
    courts.into_iter().map(court).collect()
}

impl Court<'_> {
    fn export(&self) -> (String, Vec<Value>) {
        let today = self.ground.map_or(case::TODAY, Ground::today);
        (self.name.clone(), podfit::export::export(&self.policies, today).objects)
    }
}

/// podfit's own verdict on what the API server would show it.
fn denies(court: &Court<'_>, case: &Case, request: &Request) -> bool {
    let namespace = (request.namespace.clone(), request.namespace_labels.clone());
    let rulebook = Rulebook::awaited(court.policies.clone()).with_namespaces([namespace]);
    let today = court.ground.map_or(case::TODAY, Ground::today);
    let settings = Settings { rulebook: &rulebook, today };
    let answer = admission::answer(Phase::Validate, request.review(case).to_string().as_bytes(), &settings);
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    !answer["response"]["allowed"].as_bool().unwrap_or_else(|| panic!("{}: {answer}", case.name))
}

fn is_refused(cluster: &Cluster, court: &Court<'_>, request: &Request) -> bool {
    let answer = request.send(cluster, Some((MEANT, &court.name)));
    match answer.code {
        200 | 201 => false,
        403 if answer.message().contains("denied request") => true,
        _ => panic!("{}: {} {}", court.name, answer.code, answer.message()),
    }
}

#[derive(Default)]
struct Outcomes {
    requests: usize,
    refusals: usize,
    /// Case and message.
    refused_by_the_api: Vec<(String, String)>,
    /// Case and court where podfit refuses and the API server does not, or the other way round.
    laxer: Vec<String>,
    stricter: Vec<String>,
}

impl Outcomes {
    fn note(&mut self, case: &Case, court: &Court<'_>, denied: bool, refused: bool) {
        self.requests += 1;
        self.refusals += usize::from(refused);
        let differs = if denied { &mut self.laxer } else { &mut self.stricter };
        if denied != refused {
            let court = if court.ground.is_some() { String::new() } else { format!(" under {}", court.name) };
            differs.push(format!("{}{court}", case.name));
        }
    }

    /// An older API server takes less.
    fn check(self, minor: u64) {
        println!("{} requests judged alike, {} of them refused", self.requests, self.refusals);
        assert_eq!(self.stricter, [""; 0], "the API server refuses what podfit allows");
        let unsaid: Vec<&str> = UNSAID.iter().map(|(case, _)| *case).collect();
        assert_eq!(self.laxer, unsaid, "podfit refuses, and the API server does not");
        let found: Vec<&str> = self.refused_by_the_api.iter().map(|(case, _)| case.as_str()).collect();
        let expected: Vec<&str> = REFUSED_BY_THE_API.iter().map(|(case, _)| *case).collect();
        if minor >= 36 {
            assert_eq!(found, expected, "refused by the API itself: {:?}", self.refused_by_the_api);
        }
    }
}
