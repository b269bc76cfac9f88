//! Which API server, as whom, and in which namespace; and what a failed call of it says. All of `cluster` uses it.

use std::{
    error::Error,
    fmt,
    iter::successors,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use hyper::{Response, header::DATE};
use jiff::{Timestamp, fmt::rfc2822};
use kube::{Client, Config, client::ClientBuilder, config::InferConfigError};
use tower::util::MapResponseLayer;

/// An answer takes milliseconds; what takes longer is away.
const LONGEST_CALL: Duration = Duration::from_secs(5);

/// A page of a long list may take seconds to come, on a busy API server many.
const LONGEST_PAGE: Duration = Duration::from_mins(1);

/// A watch is begun anew so often: one over a connection that has died unnoticed lasts no longer.
pub(super) const LONGEST_WATCH: Duration = Duration::from_mins(1);

/// An API server, and the namespace that is ours.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: Client,
    /// For watches, which are silent for long.
    pub(super) watching: Client,
    pub(super) namespace: String,
    clock: Clock,
}

/// What the `Date` of the last answer said, in Unix seconds.
#[derive(Clone, Default)]
struct Clock(Arc<AtomicI64>);

/// Why there is no API server to be asked.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("neither a kubeconfig (KUBECONFIG, ~/.kube/config) nor the service account of a Pod")]
    Nowhere(#[source] Box<InferConfigError>),
    #[error("make a client of the API server")]
    Client(#[from] kube::Error),
}

/// One call, as RBAC names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub verb: &'static str,
    pub resource: &'static str,
    /// Empty for all of them.
    pub name: String,
    /// Of the object; none where its kind is cluster-scoped.
    pub namespace: Option<String>,
}

/// A call that failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("not allowed to {call}: {message}; the roles of deploy/ allow it")]
    Denied { call: Call, message: String },
    /// Another writer was faster.
    #[error("{call}: changed meanwhile")]
    Conflict { call: Call },
    #[error("{call}: {message}")]
    Refused { call: Call, message: String },
    #[error("{call}: there is none")]
    Absent { call: Call },
    #[error("API server not reached to {call}: {causes}")]
    Away { call: Call, causes: String },
}

impl Cluster {
    /// By the kubeconfig, else by the Pod's service account. Asks nothing yet, so that an API server may be away.
    ///
    /// # Errors
    ///
    /// Where there is neither, or it cannot be read.
    pub async fn connect() -> Result<Self, ConnectError> {
        Ok(Self::of(infer().await?)?)
    }

    /// The same for a command that reads long lists while a person waits: an API server that is busy, and says so, is asked
    /// again.
    ///
    /// # Errors
    ///
    /// As [`Cluster::connect`].
    pub async fn connect_for_lists() -> Result<Self, ConnectError> {
        Ok(Self::with(infer().await?, LONGEST_PAGE, true)?)
    }

    /// # Errors
    ///
    /// Where the configuration names files that cannot be read.
    pub fn of(config: Config) -> Result<Self, kube::Error> {
        // Whoever calls has a pace and a patience of its own.
        Self::with(config, LONGEST_CALL, false)
    }

    fn with(mut config: Config, longest_answer: Duration, retries: bool) -> Result<Self, kube::Error> {
        config.connect_timeout = Some(LONGEST_CALL);
        config.read_timeout = Some(longest_answer);
        config.reset_reader_on_write = true;
        config.write_timeout = Some(LONGEST_CALL);
        config.default_retry = retries;
        let mut patient = config.clone();
        patient.read_timeout = Some(LONGEST_WATCH + LONGEST_CALL);
        let watching = ClientBuilder::try_from(patient)?.build();
        let namespace = config.default_namespace.clone();
        let clock = Clock::default();
        let client = ClientBuilder::try_from(config)?.with_layer(&MapResponseLayer::new(clock.reader())).build();
        Ok(Self { client, watching, namespace, clock })
    }

    /// By the clock of the API server, as of its last answer. It is the one that finds certificates good or not, and with
    /// its clock a node whose own is wrong makes none that nobody believes.
    pub fn now(&self) -> Timestamp {
        let seconds = self.clock.0.load(Ordering::Relaxed);
        Timestamp::from_second(seconds).ok().filter(|_| seconds != 0).unwrap_or_else(Timestamp::now)
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
    }
}

async fn infer() -> Result<Config, ConnectError> {
    Config::infer().await.map_err(|error| ConnectError::Nowhere(Box::new(error)))
}

impl Failure {
    /// For commands of people, who have other rights than an installation.
    pub fn told(&self) -> String {
        match self {
            Self::Denied { call, message } => {
                format!("not allowed to {call}: {message}; docs/scan.md has a ClusterRole that allows it")
            }
            other => other.to_string(),
        }
    }
}

impl Clock {
    fn reader<B>(&self) -> impl Fn(Response<B>) -> Response<B> + Clone + use<B> {
        let clock = self.clone();
        move |answer| {
            let date = answer.headers().get(DATE).and_then(|date| date.to_str().ok());
            if let Some(date) = date.and_then(|date| rfc2822::parse(date).ok()) {
                clock.0.store(date.timestamp().as_second(), Ordering::Relaxed);
            }
            answer
        }
    }
}

impl Call {
    pub(super) fn of(verb: &'static str, resource: &'static str, name: &str) -> Self {
        Self { verb, resource, name: name.to_owned(), namespace: None }
    }

    pub(super) fn within(self, namespace: &str) -> Self {
        Self { namespace: Some(namespace.to_owned()), ..self }
    }

    pub(super) fn failed(self, error: kube::Error) -> Failure {
        match error {
            kube::Error::Api(status) if status.code == 403 => Failure::Denied { call: self, message: status.message },
            kube::Error::Api(status) if status.code == 409 => Failure::Conflict { call: self },
            kube::Error::Api(status) => {
                Failure::Refused { call: self, message: format!("{} {}", status.code, status.message) }
            }
            error => Failure::Away { call: self, causes: causes(&error) },
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.verb, self.resource)?;
        // A list has none.
        if !self.name.is_empty() {
            write!(formatter, "/{}", self.name)?;
        }
        self.namespace.as_ref().map_or(Ok(()), |namespace| write!(formatter, " in namespace {namespace}"))
    }
}

pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    let texts = successors(Some(error), |error| (*error).source()).map(ToString::to_string);
    // Wrappers repeat what they wrap.
    let mut said: Vec<String> = Vec::new();
    for text in texts {
        said.retain(|before| !before.contains(&text));
        said.push(text);
    }
    said.join(": ")
}
