//! Which API server, as whom, and in which namespace; and what a failed call of it says. All of `cluster` uses it.

use std::{error::Error, fmt, iter::successors, time::Duration};

use kube::{Client, Config, config::InferConfigError};

/// An answer takes milliseconds; what takes longer is away.
const LONGEST_CALL: Duration = Duration::from_secs(5);

/// An API server, and the namespace that is ours.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: Client,
    pub(super) namespace: String,
}

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
        let config = Config::infer().await.map_err(|error| ConnectError::Nowhere(Box::new(error)))?;
        Ok(Self::of(config)?)
    }

    /// # Errors
    ///
    /// Where the configuration names files that cannot be read.
    pub fn of(mut config: Config) -> Result<Self, kube::Error> {
        config.connect_timeout = Some(LONGEST_CALL);
        config.read_timeout = Some(LONGEST_CALL);
        config.reset_reader_on_write = true;
        config.write_timeout = Some(LONGEST_CALL);
        // Whoever calls has a pace and a patience of its own.
        config.default_retry = false;
        let namespace = config.default_namespace.clone();
        Ok(Self { client: Client::try_from(config)?, namespace })
    }

    pub fn namespace(&self) -> &str {
        &self.namespace
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
        write!(formatter, "{} {}/{}", self.verb, self.resource, self.name)?;
        self.namespace.as_ref().map_or(Ok(()), |namespace| write!(formatter, " in namespace {namespace}"))
    }
}

fn causes(error: &(dyn Error + 'static)) -> String {
    let texts = successors(Some(error), |error| (*error).source()).map(ToString::to_string);
    // Wrappers repeat what they wrap.
    let mut said: Vec<String> = Vec::new();
    for text in texts {
        said.retain(|before| !before.contains(&text));
        said.push(text);
    }
    said.join(": ")
}
