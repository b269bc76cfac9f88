//! Lists of the API, page by page, as text: a list of any length takes the memory of two pages. The scan calls this.

use std::pin::pin;

use futures_util::AsyncReadExt as _;
use kube::api::{ListParams, Request};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{
    Cluster,
    client::{Call, Failure},
};

/// As kubectl asks: large enough to be quick, and two pages are some ten megabytes.
const PAGE: u32 = 500;

/// Of an API group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resource {
    /// Such as `/apis/apps/v1`.
    pub(super) group: &'static str,
    pub(super) plural: &'static str,
    /// As RBAC and kubectl name it, such as `deployments.apps`.
    pub(super) name: &'static str,
}

/// What is to be listed.
#[derive(Debug, Clone)]
pub(super) struct List {
    pub(super) resource: Resource,
    /// None: all.
    pub(super) namespace: Option<String>,
    /// The API server leaves out what is not metadata.
    pub(super) is_metadata_only: bool,
    pub(super) label_selector: Option<&'static str>,
}

/// A part of a list, borrowed from its text.
#[derive(Deserialize)]
pub(super) struct Page<'t> {
    #[serde(default)]
    metadata: PageMetadata,
    #[serde(borrow, default, deserialize_with = "null_is_empty")]
    pub(super) items: Vec<&'t RawValue>,
}

/// A list of nothing may be `null`.
fn null_is_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PageMetadata {
    r#continue: Option<String>,
    remaining_item_count: Option<usize>,
}

/// What a list came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// All of it as of one moment.
    One,
    /// The API server had forgotten that moment meanwhile, and the rest is as of a later one.
    Later,
}

struct Fetched {
    text: String,
    moment: Moment,
}

impl Resource {
    pub(super) const PODS: Self = Self { group: "/api/v1", plural: "pods", name: "pods" };
    pub(super) const NAMESPACES: Self = Self { group: "/api/v1", plural: "namespaces", name: "namespaces" };

    pub(super) fn path(self, namespace: Option<&str>) -> String {
        match namespace {
            Some(namespace) => format!("{}/namespaces/{namespace}/{}", self.group, self.plural),
            None => format!("{}/{}", self.group, self.plural),
        }
    }
}

impl List {
    pub(super) fn of(resource: Resource, namespace: Option<&str>) -> Self {
        Self { resource, namespace: namespace.map(str::to_owned), is_metadata_only: false, label_selector: None }
    }

    pub(super) fn metadata(self) -> Self {
        Self { is_metadata_only: true, ..self }
    }

    pub(super) fn path(&self) -> String {
        self.resource.path(self.namespace.as_deref())
    }

    /// Said of an object that had to be there.
    pub(super) fn is_absent(&self, name: &str) -> Failure {
        Failure::Absent { call: Call { verb: "get", name: name.to_owned(), ..self.call() } }
    }

    fn call(&self) -> Call {
        Call { namespace: self.namespace.clone(), ..Call::of("list", self.resource.name, "") }
    }
}

impl Page<'_> {
    /// Items behind this page, where the API server tells.
    pub(super) fn remaining(&self) -> Option<usize> {
        match self.metadata.r#continue.as_deref() {
            None | Some("") => Some(0),
            Some(_) => self.metadata.remaining_item_count,
        }
    }
}

impl Cluster {
    /// Hands every page to `take`, in order, while the next one is on its way.
    ///
    /// # Errors
    /// Where a page does not come; those before it have been taken.
    pub(super) async fn list(&self, list: &List, mut take: impl FnMut(&Page<'_>)) -> Result<Moment, Failure> {
        let mut moment = Moment::One;
        let mut fetched = fetch(self.clone(), list.clone(), None, PAGE).await?;
        loop {
            let page = page(&fetched.text, list)?;
            let token = page.metadata.r#continue.clone().filter(|token| !token.is_empty());
            let next = token.map(|token| tokio::spawn(fetch(self.clone(), list.clone(), Some(token), PAGE)));
            take(&page);
            let Some(next) = next else { return Ok(moment) };
            fetched = next.await.map_err(|error| refused(list, &error.to_string()))??;
            if fetched.moment == Moment::Later {
                moment = Moment::Later;
            }
        }
    }

    /// Whether it may be listed, by asking for one item.
    pub(super) async fn may_list(&self, list: &List) -> Result<(), Failure> {
        fetch(self.clone(), list.clone(), None, 1).await.map(drop)
    }

    /// A Pod as text; none where there is none.
    ///
    /// # Errors
    /// Where the API server does not say.
    pub async fn pod(&self, namespace: &str, name: &str) -> Result<Option<String>, Failure> {
        self.get_text(&List::of(Resource::PODS, Some(namespace)), name).await
    }

    /// One object as text; none where it is not there.
    pub(super) async fn get_text(&self, list: &List, name: &str) -> Result<Option<String>, Failure> {
        let call = || Call { verb: "get", name: name.to_owned(), ..list.call() };
        let request = Request::new(list.path());
        let request = if list.is_metadata_only {
            request.get_metadata(name, &<_>::default())
        } else {
            request.get(name, &<_>::default())
        };
        let request = request.map_err(|error| call().failed(kube::Error::BuildRequest(error)))?;
        match self.client.request_text(request).await {
            Ok(text) => Ok(Some(text)),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
            Err(error) => Err(call().failed(error)),
        }
    }
}

fn page<'t>(text: &'t str, list: &List) -> Result<Page<'t>, Failure> {
    serde_json::from_str(text).map_err(|error| refused(list, &format!("the answer is no list: {error}")))
}

fn refused(list: &List, message: &str) -> Failure {
    Failure::Refused { call: list.call(), message: message.to_owned() }
}

/// A token that has expired comes back with one for the rest as it is now: what was made, changed or deleted since is seen
/// so, and nothing is seen twice.
async fn fetch(cluster: Cluster, list: List, token: Option<String>, limit: u32) -> Result<Fetched, Failure> {
    let is_first = token.is_none();
    let error = match request(&cluster, &list, token, limit).await {
        Ok(text) => return Ok(Fetched { text, moment: Moment::One }),
        Err(error) => error,
    };
    let later = match &error {
        kube::Error::Api(status) if status.code == 404 => return Err(Failure::Absent { call: list.call() }),
        kube::Error::Api(status) if status.code == 410 && !is_first => {
            status.metadata.as_ref().and_then(|metadata| metadata.continue_.clone())
        }
        _ => None,
    };
    let Some(later) = later.filter(|token| !token.is_empty()) else { return Err(list.call().failed(error)) };
    let text = request(&cluster, &list, Some(later), limit).await.map_err(|error| list.call().failed(error))?;
    Ok(Fetched { text, moment: Moment::Later })
}

async fn request(cluster: &Cluster, list: &List, token: Option<String>, limit: u32) -> Result<String, kube::Error> {
    let mut parameters = ListParams::default().limit(limit);
    parameters.continue_token = token;
    parameters.label_selector = list.label_selector.map(str::to_owned);
    let request = Request::new(list.path());
    let request = if list.is_metadata_only { request.list_metadata(&parameters) } else { request.list(&parameters) };
    // The client's own way to a text takes three times its memory.
    let stream = cluster.client.request_stream(request.map_err(kube::Error::BuildRequest)?).await?;
    let mut text = String::new();
    pin!(stream).read_to_string(&mut text).await.map_err(|error| kube::Error::Service(error.into()))?;
    Ok(text)
}
