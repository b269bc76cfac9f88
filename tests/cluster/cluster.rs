//! How a case reaches the API: requests through the `kube` crate, with the status and the warnings of each answer, and kubectl
//! for what a person sees. The cluster may be ours or any other.

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use http_body_util::BodyExt as _;
use hyper::{Method, Request};
use kube::{
    Client, Config,
    client::Body,
    config::{KubeConfigOptions, Kubeconfig},
};
use serde_json::{Value, json};
use tokio::runtime::Handle;

/// What waits for a controller waits at most so long.
const DEADLINE: Duration = Duration::from_mins(1);

#[derive(Clone)]
pub struct Cluster {
    client: Client,
    runtime: Handle,
    kubeconfig: PathBuf,
    kubectl: PathBuf,
}

/// A request; what is absent is a plain GET by the cluster's administrator.
#[derive(Default)]
pub struct Call<'a> {
    pub method: Method,
    pub path: String,
    pub content_type: Option<&'a str>,
    pub body: Option<&'a Value>,
    /// User and group in whose place the administrator acts.
    pub user: Option<(&'a str, &'a str)>,
}

#[derive(Debug)]
pub struct Answer {
    pub code: u16,
    pub body: Value,
    pub warnings: Vec<String>,
}

impl Answer {
    /// The object, where the request was to succeed.
    #[track_caller]
    pub fn object(self) -> Value {
        assert!((200..300).contains(&self.code), "{}: {}", self.code, self.body["message"]);
        self.body
    }

    pub fn message(&self) -> &str {
        self.body["message"].as_str().unwrap_or_default()
    }
}

/// What a command printed.
#[derive(Debug)]
pub struct Printed {
    pub code: i32,
    pub output: String,
    pub error: String,
}

impl Cluster {
    pub fn connect(kubeconfig: &Path, kubectl: PathBuf, runtime: &Handle) -> Self {
        let file = Kubeconfig::read_from(kubeconfig)
            .unwrap_or_else(|error| panic!("read the kubeconfig {}: {error}", kubeconfig.display()));
        let config = runtime.block_on(Config::from_custom_kubeconfig(file, &KubeConfigOptions::default())).unwrap();
        let _guard = runtime.enter();
        let client = Client::try_from(config).unwrap();
        Self { client, runtime: runtime.clone(), kubeconfig: kubeconfig.to_owned(), kubectl }
    }

    pub fn runtime(&self) -> &Handle {
        &self.runtime
    }

    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    pub fn kubectl_path(&self) -> &Path {
        &self.kubectl
    }

    pub fn is_ready(&self) -> bool {
        self.runtime.block_on(self.text("/readyz")).is_ok()
    }

    /// Of the version 1.MINOR; some add a sign to it.
    pub fn minor(&self) -> u64 {
        let version = self.get("/version").object();
        version["minor"].as_str().unwrap().trim_end_matches('+').parse().unwrap()
    }

    pub fn has_default_account(&self, namespace: &str) -> bool {
        self.get(&format!("{}/default", path("serviceaccounts", namespace))).code == 200
    }

    pub fn call(&self, call: Call<'_>) -> Answer {
        self.runtime.block_on(self.try_call(call)).unwrap()
    }

    pub async fn try_call(&self, call: Call<'_>) -> Result<Answer, kube::Error> {
        let mut request = Request::builder().method(call.method).uri(call.path);
        request = request.header("content-type", call.content_type.unwrap_or("application/json"));
        if let Some((user, group)) = call.user {
            request = request.header("impersonate-user", user).header("impersonate-group", group);
        }
        let body = call.body.map(Value::to_string).unwrap_or_default();
        let response = self.client.send(request.body(Body::from(body.into_bytes())).unwrap()).await?;
        let warnings =
            response.headers().get_all("warning").iter().map(|warning| text_of_warning(warning.to_str().unwrap()));
        let (code, warnings) = (response.status().as_u16(), warnings.collect());
        let body = response.into_body().collect().await?.to_bytes();
        Ok(Answer { code, body: serde_json::from_slice(&body).unwrap_or(Value::Null), warnings })
    }

    pub fn get(&self, path: &str) -> Answer {
        self.call(Call { path: path.to_owned(), ..Call::default() })
    }

    pub fn get_text(&self, path: &str) -> String {
        self.runtime.block_on(self.text(path)).unwrap()
    }

    async fn text(&self, path: &str) -> Result<String, kube::Error> {
        self.client.request_text(Request::get(path).body(Vec::new()).unwrap()).await
    }

    pub fn create(&self, path: &str, object: &Value) -> Answer {
        self.call(Call { method: Method::POST, path: path.to_owned(), body: Some(object), ..Call::default() })
    }

    pub fn replace(&self, path: &str, object: &Value) -> Answer {
        self.call(Call { method: Method::PUT, path: path.to_owned(), body: Some(object), ..Call::default() })
    }

    pub fn delete(&self, path: &str) -> Answer {
        self.call(Call { method: Method::DELETE, path: path.to_owned(), ..Call::default() })
    }

    /// A strategic merge patch, as `kubectl patch`, `label` and `annotate` send it.
    pub fn patch(&self, path: &str, change: &Value) -> Answer {
        let content_type = Some("application/strategic-merge-patch+json");
        self.call(Call {
            method: Method::PATCH,
            path: path.to_owned(),
            content_type,
            body: Some(change),
            ..Call::default()
        })
    }

    /// Makes a namespace, with the account that Pods need.
    pub fn make_namespace(&self, name: &str, labels: &BTreeMap<&str, &str>) {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}});
        self.create("/api/v1/namespaces", &namespace).object();
        wait_for("the default account", || self.has_default_account(name).then_some(()));
    }

    /// Runs kubectl as a person would, with a manifest on its input.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> Printed {
        let mut command = Command::new(&self.kubectl);
        command.env("KUBECONFIG", &self.kubeconfig).env_remove("KUBECTL_COMMAND_HEADERS").args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("start {}: {error}", self.kubectl.display()));
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Printed { code: output.status.code().unwrap(), output: text(output.stdout), error: text(output.stderr) }
    }
}

/// Asks until there is an answer.
#[track_caller]
pub fn wait_for<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    wait_within(DEADLINE, what, ask)
}

#[track_caller]
pub fn wait_within<T>(deadline: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < deadline, "{what} did not come within {deadline:?}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The collection of a resource in a namespace.
pub fn path(resource: &str, namespace: &str) -> String {
    let group = match resource {
        "deployments" | "replicasets" | "statefulsets" | "daemonsets" => "apis/apps/v1",
        "jobs" | "cronjobs" => "apis/batch/v1",
        _ => "api/v1",
    };
    format!("/{group}/namespaces/{namespace}/{resource}")
}

/// `299 - "text"`, with quotes and backslashes escaped.
fn text_of_warning(header: &str) -> String {
    let quoted = header.splitn(3, ' ').nth(2).unwrap_or_default();
    serde_json::from_str(quoted).unwrap_or_else(|_| quoted.to_owned())
}
