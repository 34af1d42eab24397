//! A browser of a given size and colour scheme that shows the page: pictures, and the rules that
//! hold for everything it shows.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use fantoccini::{
    elements::{Element, ElementRef},
    wd::WebDriverCompatibleCommand,
};
use http::Method;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};
use tau_homes::tools::built;
use tokio::time::{Instant, sleep};

use super::support::{
    browser::Browser,
    http::{Server, send},
    provider::Provider,
    site,
};

/// How long a state may take to appear.
const PATIENCE: Duration = Duration::from_secs(30);
/// Roles of what a person operates: each needs a name.
const CONTROLS: &[&str] = &[
    "button",
    "checkbox",
    "combobox",
    "DisclosureTriangle",
    "link",
    "menuitem",
    "searchbox",
    "spinbutton",
    "textbox",
];

/// A window on the page.
pub(crate) struct Look {
    browser: Browser,
    site: Server,
    /// What its pictures' names end with.
    name: String,
    pub(crate) is_narrow: bool,
}

impl Look {
    /// Opens the page in a window of `width` CSS pixels.
    pub(crate) async fn open(width: u32, scheme: &str, model: &Provider) -> Self {
        let look = Self {
            browser: Browser::start().await,
            site: site(model).await,
            name: format!("{width}-{scheme}"),
            is_narrow: width < 900,
        };
        let height = if look.is_narrow { 844 } else { 800 };
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        look.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            // A picture of a moving thing is another one each time.
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        let media = json!({ "features": features });
        look.devtools("Emulation.setEmulatedMedia", media).await;
        look.go("/").await;
        look
    }

    /// Goes to a page of the site and waits for the element.
    pub(crate) async fn go(&self, path: &str) {
        self.browser.go(&format!("{}{path}", self.site.url)).await;
        self.wait_for(".frame").await;
    }

    /// Waits until something inside the element matches, and can be seen.
    pub(crate) async fn wait_for(&self, selector: &str) -> Element {
        let script = "return [...(document.querySelector('tau-agent')?.shadowRoot.querySelectorAll(arguments[0]) ?? [])]
            .find((element) => element.checkVisibility({ visibilityProperty: true })) ?? null";
        let found = self.poll(script, selector).await;
        let id = found.as_object().and_then(|object| object.values().next());
        let id = id.and_then(Value::as_str).expect("an element").to_owned();
        Element::from_element_id(self.browser.client.clone(), ElementRef::from(id))
    }

    /// Waits until nothing inside the element matches, or what does is hidden.
    pub(crate) async fn wait_until_gone(&self, selector: &str) {
        let script = "return ![...document.querySelector('tau-agent').shadowRoot.querySelectorAll(arguments[0])]
            .some((element) => element.checkVisibility({ visibilityProperty: true }))";
        self.poll(script, selector).await;
    }

    /// Waits until the text inside the element holds `text`.
    pub(crate) async fn wait_for_text(&self, text: &str) {
        let script = "return [...document.querySelector('tau-agent').shadowRoot.querySelectorAll('.main, .sidebar')]
            .some((part) => part.innerText.includes(arguments[0]))";
        self.poll(script, text).await;
    }

    /// Waits until something that matches holds `text`.
    pub(crate) async fn wait_for_text_in(&self, selector: &str, text: &str) {
        let script = "const [selector, text] = JSON.parse(arguments[0]);
            return [...document.querySelector('tau-agent').shadowRoot.querySelectorAll(selector)]
                .some((part) => part.innerText.includes(text))";
        self.poll(script, &json!([selector, text]).to_string())
            .await;
    }

    async fn poll(&self, script: &str, given: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let client = &self.browser.client;
            let found = client.execute(script, vec![json!(given)]).await.unwrap();
            if !matches!(found, Value::Null | Value::Bool(false)) {
                return found;
            }
            if Instant::now() > deadline {
                self.save("gave-up").await;
                panic!("{given:?} did not come, see gave-up-{}.png", self.name);
            }
            sleep(Duration::from_millis(30)).await;
        }
    }

    pub(crate) async fn click(&self, selector: &str) {
        self.wait_for(selector).await.click().await.unwrap();
    }

    /// Types into a field, as keys.
    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        let field = self.wait_for(selector).await;
        field.send_keys(text).await.unwrap();
    }

    /// Empties a field first.
    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        let field = self.wait_for(selector).await;
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Picks an option by its value.
    pub(crate) async fn choose(&self, selector: &str, value: &str) {
        let field = self.wait_for(selector).await;
        field.select_by_value(value).await.unwrap();
    }

    /// Writes a message and sends it.
    pub(crate) async fn say(&self, text: &str) {
        let keys = format!("{text}{}", char::from(fantoccini::key::Key::Enter));
        self.type_into(".composer-text", &keys).await;
    }

    /// Waits until the last turn is over.
    pub(crate) async fn wait_for_end(&self) {
        self.wait_for(".turn:last-child .answer:not([data-live])")
            .await;
    }

    /// Goes to a screen by the menu.
    pub(crate) async fn show(&self, place: usize) {
        self.open_menu().await;
        self.click(&format!("nav li:nth-child({place}) button"))
            .await;
        if self.is_narrow {
            self.wait_until_gone(".sidebar").await;
        }
    }

    /// Opens the menu where it is closed.
    pub(crate) async fn open_menu(&self) {
        if self.is_narrow {
            self.click("button[aria-label=Menu]").await;
        }
        self.wait_for("nav button").await;
    }

    /// The text that something inside the element shows.
    pub(crate) async fn text(&self, selector: &str) -> String {
        self.wait_for(selector).await.text().await.unwrap()
    }

    /// What the body of an async function gives, run in the page.
    pub(crate) async fn run(&self, body: &str, given: Value) -> Value {
        let script = format!(
            "const [given, done] = arguments;
            (async () => {{ {body} }})().then((ok) => done(ok ?? null), (error) => done(`failed: ${{error}}`));"
        );
        let client = &self.browser.client;
        client.execute_async(&script, vec![given]).await.unwrap()
    }

    /// Takes a picture, and looks whether everything in it keeps the rules.
    pub(crate) async fn picture(&self, state: &str) {
        self.save(state).await;
        let client = &self.browser.client;
        let wrong = client
            .execute(include_str!("audit.js"), vec![])
            .await
            .unwrap();
        assert_eq!(wrong, json!([]), "{state} {}", self.name);
        assert_eq!(self.nameless().await, Vec::<Value>::new(), "{state}");
    }

    async fn save(&self, state: &str) {
        let picture = self.browser.client.screenshot().await.unwrap();
        let folder = folder();
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{state}-{}.png", self.name));
        std::fs::write(file, picture).unwrap();
    }

    /// Controls without a name, as the browser tells assistive technology of them.
    async fn nameless(&self) -> Vec<Value> {
        let tree = self
            .devtools("Accessibility.getFullAXTree", json!({}))
            .await;
        let nodes = tree["nodes"].as_array().expect("a tree").iter();
        let controls: Vec<_> = nodes
            .filter(|node| node["ignored"] != true)
            .filter(|node| CONTROLS.contains(&node["role"]["value"].as_str().unwrap_or_default()))
            .collect();
        assert!(!controls.is_empty(), "there is nothing to operate");
        let name = |node: &Value| {
            node["name"]["value"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        };
        controls
            .into_iter()
            .filter(|node| name(node).trim().is_empty())
            .cloned()
            .collect()
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        let client = &self.browser.client;
        client.issue_cmd(DevTools(body)).await.unwrap()
    }

    /// Closes the window; nothing may have been complained of.
    pub(crate) async fn close(self) {
        self.browser.end().await;
    }
}

/// A command of the browser's own protocol.
#[derive(Debug)]
struct DevTools(Value);

impl WebDriverCompatibleCommand for DevTools {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!(
            "session/{}/goog/cdp/execute",
            session.unwrap_or_default()
        ))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.0.to_string()))
    }
}

/// Where pictures go.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("screenshots")
}

/// The built page under the policy its documentation names, with `model` the only other server.
async fn site(model: &Provider) -> Server {
    let directory = built("build/browser", "tau_agent_bg.wasm").unwrap();
    let model = model.url();
    let policy = format!(
        "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self' {}",
        model.trim_end_matches("/v1")
    );
    Server::start(move |asked, mut stream| {
        let (directory, policy) = (directory.clone(), policy.clone());
        async move {
            let name = match asked.path.trim_start_matches('/') {
                "" => "index.html",
                name => name,
            };
            // Only the test's own browser asks, but nothing outside is served to it either.
            match (name.contains(".."), std::fs::read(directory.join(name))) {
                (false, Ok(body)) => {
                    let headers = [
                        ("content-type", site::kind(name)),
                        ("content-security-policy", policy.as_str()),
                    ];
                    send(&mut stream, "200 OK", &headers, &body).await
                }
                _ => send(&mut stream, "404 Not Found", &[], b"").await,
            }
        }
    })
    .await
}
