//! A headless Chromium behind its chromedriver: `WebDriver` is JSON over HTTP, of which a page of ours needs little. A library
//! would bring a second HTTP client, cookies and URLs.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, body::Bytes, client::conn::http1, header::HOST};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpStream, runtime, time::timeout};

/// For ever, on a busy machine too.
const PATIENCE: Duration = Duration::from_mins(1);

/// No sandbox, since CI runs as root; nothing that calls home.
const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
];

pub struct Browser {
    runtime: runtime::Runtime,
    driver: Child,
    port: u16,
    session: String,
    _profile: TempDir,
}

/// The two programs, or which of them is on no PATH.
pub struct Programs {
    chromium: PathBuf,
    driver: PathBuf,
}

impl Programs {
    pub fn find() -> Result<Self, String> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let find = |name: &str| {
            let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
            found.ok_or(format!("the browser: no {name} on the PATH"))
        };
        Ok(Self { chromium: find("chromium")?, driver: find("chromedriver")? })
    }
}

impl Browser {
    pub fn start(programs: &Programs) -> Self {
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let profile = TempDir::new().unwrap();
        let folder = format!("--user-data-dir={}", profile.path().display());
        let mut driver = Command::new(&programs.driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = announced_port(&mut driver);
        let mut browser = Self { runtime, driver, port, session: String::new(), _profile: profile };
        let arguments: Vec<_> = ARGUMENTS.into_iter().chain([folder.as_str()]).collect();
        let options = json!({"binary": programs.chromium, "args": arguments});
        let wanted = json!({"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}});
        let session = browser.call(Method::POST, "/session", &json!({"capabilities": {"alwaysMatch": wanted}}));
        browser.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        browser
    }

    pub fn open(&self, address: &str) {
        // Another part of the address alone would not load the page anew.
        self.post("/url", &json!({"url": "about:blank"}));
        self.console();
        self.post("/url", &json!({"url": address}));
    }

    /// The value of a JavaScript expression; of a promise, what it comes to.
    pub fn value(&self, expression: &str) -> Value {
        self.post("/execute/sync", &json!({"script": format!("return ({expression});"), "args": []}))
    }

    pub fn text(&self, expression: &str) -> String {
        self.value(expression).as_str().unwrap_or_else(|| panic!("{expression} is no text")).to_owned()
    }

    /// Waits until an expression holds.
    pub fn until(&self, expression: &str) {
        let found = self.value(&format!(
            "new Promise((done) => {{
                const end = performance.now() + 20000;
                const look = () => ({expression}) ? done(true) : performance.now() > end ? done(false) : setTimeout(look, 10);
                look();
            }})"
        ));
        assert_eq!(
            found,
            json!(true),
            "{expression} never holds; the page says:\n{}",
            self.text("document.body.innerText")
        );
    }

    /// What a person does at a form's element, as far as the page hears of it.
    pub fn enter(&self, selector: &str, change: &str) {
        self.value(&format!(
            "(() => {{ const it = document.querySelector({selector:?}); {change}; \
             it.dispatchEvent(new Event('input', {{bubbles: true}})); }})()"
        ));
    }

    /// Errors, warnings and refusals of the content security policy since the last look.
    pub fn console(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({"type": "browser"}));
        let lines = log.as_array().unwrap().iter();
        lines.map(|line| format!("{}: {}", line["level"], line["message"])).collect()
    }

    /// A command of Chromium's own protocol.
    pub fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({"cmd": command, "params": parameters}))
    }

    pub fn size(&self, width: u32, height: u32) {
        let screen = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600});
        self.devtools("Emulation.setDeviceMetricsOverride", &screen);
    }

    pub fn scheme(&self, scheme: &str) {
        self.devtools(
            "Emulation.setEmulatedMedia",
            &json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]}),
        );
    }

    pub fn scripts(&self, are_run: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", &json!({"value": !are_run}));
    }

    /// What a screen reader is told, one line each; it needs no script of the page.
    pub fn told(&self) -> Vec<String> {
        let tree = self.devtools("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].as_array().unwrap().iter().filter(|node| node["ignored"] != json!(true));
        nodes
            .map(|node| {
                let part = |name: &str| node[name]["value"].as_str().unwrap_or_default().trim().to_owned();
                format!("{} {}", part("role"), part("name"))
            })
            .collect()
    }

    /// Into the folder `PODFIT_SCREENSHOTS`, where a person wants to look.
    pub fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("PODFIT_SCREENSHOTS") else { return };
        let picture = self.call(Method::GET, &format!("{}/screenshot", self.session), &Value::Null);
        let picture = STANDARD.decode(picture.as_str().unwrap()).unwrap();
        fs::write(Path::new(&folder).join(name).with_extension("png"), picture).unwrap();
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        self.call(Method::POST, &format!("{}{path}", self.session), body)
    }

    fn call(&self, method: Method, path: &str, body: &Value) -> Value {
        let body = if method == Method::POST { body.to_string() } else { String::new() };
        let request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let answer = self.runtime.block_on(async {
            let stream = TcpStream::connect(("127.0.0.1", self.port)).await.unwrap();
            let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
            let connection = tokio::spawn(connection);
            let answer = timeout(PATIENCE, sender.send_request(request)).await.expect("the browser answers");
            let body = answer.unwrap().into_body().collect().await.unwrap().to_bytes();
            connection.abort();
            body
        });
        let mut answer: Value = serde_json::from_slice(&answer).unwrap();
        let value = answer["value"].take();
        assert!(value.get("error").is_none(), "{path}: {value:#}");
        value
    }
}

/// The line that says it is the last one we read; a thread takes the rest, lest a full pipe stops the driver.
fn announced_port(driver: &mut Child) -> u16 {
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines.by_ref().find_map(|line| line.strip_suffix('.')?.split_once("on port ")?.1.parse().ok());
    thread::spawn(move || lines.for_each(drop));
    port.expect("chromedriver says its port")
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Chromium ends with its session; the driver alone would leave it behind.
        if !self.session.is_empty() && !thread::panicking() {
            self.call(Method::DELETE, &self.session.clone(), &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
