//! The policies that a cluster has now, for commands that judge once; `governance` follows them for the server.

use serde::Deserialize;
use serde_json::Value;

use super::{
    Cluster,
    client::Failure,
    list::{List, Page, Resource},
    scan::Described,
};
use crate::{
    object::{self, Text},
    policies,
    policy::Policy,
};

const SIZING_POLICIES: Resource =
    Resource { group: "/apis/podfit.dev/v1alpha1", plural: "sizingpolicies", name: "sizingpolicies.podfit.dev" };

/// What the cluster holds its Pods to.
#[derive(Debug, Default)]
pub struct Installed {
    pub policies: Vec<Policy>,
    /// Objects that are out of force, with their mistakes.
    pub mistaken: Vec<(String, String)>,
}

impl Cluster {
    /// The `SizingPolicy` objects; none where the cluster does not know the kind.
    ///
    /// # Errors
    /// Where the API server does not tell.
    pub async fn policies(&self) -> Result<Installed, Failure> {
        let mut installed = Installed::default();
        let take = |page: &Page<'_>| page.items.iter().for_each(|item| installed.add(item.get()));
        match self.list(&List::of(SIZING_POLICIES, None), take).await {
            Ok(_) | Err(Failure::Absent { .. }) => Ok(installed),
            Err(failure) => Err(failure),
        }
    }
}

impl Installed {
    fn add(&mut self, json: &str) {
        #[derive(Deserialize)]
        struct Specified {
            #[serde(default)]
            spec: Value,
        }
        let described = object::decode::<Described<'_>>(json);
        let name = described.as_ref().ok().and_then(|described| described.metadata.name.as_ref()).map(Text::as_str);
        let name = name.unwrap_or_default();
        let specified: Result<Specified, _> = serde_json::from_str(json);
        let compiled = specified.map_err(|error| error.to_string());
        match compiled.and_then(|specified| policies::object::compile(name, &specified.spec)) {
            Ok(policy) => self.policies.push(policy),
            Err(mistakes) => self.mistaken.push((name.to_owned(), mistakes)),
        }
    }
}
