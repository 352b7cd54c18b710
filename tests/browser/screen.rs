//! The visible content of a window, and screenshots of it.

use std::path::PathBuf;

use base64::Engine;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use crate::actions::GLANCE;
use crate::browser::{Browser, pictures};

/// A response from an address of the appliance.
#[derive(Debug)]
pub(crate) struct Download {
    pub(crate) status: u64,
    pub(crate) content_type: String,
    /// The `Content-Disposition`, which contains the file name.
    pub(crate) disposition: String,
    pub(crate) body: Vec<u8>,
}

/// A resource of the page.
#[derive(Debug, Deserialize)]
pub(crate) struct Part {
    /// Its address on the appliance, from `/` on.
    pub(crate) path: String,
    /// `navigation` for the page itself; `link`, `script`, `img`, `css`, `fetch` for the source of the request.
    pub(crate) kind: String,
    /// Bytes transferred, head and body; 0 if it was cached.
    pub(crate) bytes: u64,
}

impl Download {
    /// Returns the body as UTF-8.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("the download is UTF-8")
    }
}

impl Browser {
    /// Returns all visible text of the page, as it is laid out.
    pub(crate) async fn text(&self) -> String {
        // Between two pages nothing can be read.
        let text = self.execute("return document.body ? document.body.innerText : ''", Vec::new()).await;
        text.unwrap_or_default().as_str().unwrap_or_default().to_owned()
    }

    /// Returns the title of the window.
    pub(crate) async fn title(&self) -> String {
        self.client.title().await.unwrap()
    }

    /// Waits until the page contains this text, however its lines are broken.
    pub(crate) async fn sees(&self, text: &str) {
        if !self.comes_to(text, true).await {
            self.fail(&format!("\"{text}\" is not to be seen")).await;
        }
    }

    /// Waits until the page does not contain this text (any more).
    pub(crate) async fn does_not_see(&self, text: &str) {
        if !self.comes_to(text, false).await {
            self.fail(&format!("\"{text}\" is to be seen")).await;
        }
    }

    async fn comes_to(&self, text: &str, there: bool) -> bool {
        let wanted = flat(text);
        let deadline = Instant::now() + self.window.patience;
        loop {
            let read = flat(&self.text().await);
            // A page that has not loaded yet contains nothing, which proves nothing.
            if !read.is_empty() && read.contains(&wanted) == there {
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Returns the rows of the table with this id, cell by cell, without its head.
    pub(crate) async fn table(&self, id: &str) -> Vec<Vec<String>> {
        self.cells(id, "tbody tr").await
    }

    /// Returns the head of the table with this id.
    pub(crate) async fn columns(&self, id: &str) -> Vec<String> {
        self.cells(id, "thead tr").await.into_iter().next().unwrap_or_default()
    }

    async fn cells(&self, id: &str, rows: &str) -> Vec<Vec<String>> {
        let read = "
            const [id, rows] = arguments;
            const table = document.getElementById(id);
            if (!table) return null;
            return [...table.querySelectorAll(rows)].filter(row => row.checkVisibility())
                .map(row => [...row.cells].map(cell => cell.innerText.replace(/\\s+/g, ' ').trim()));";
        let deadline = Instant::now() + self.window.patience;
        loop {
            let cells = self.execute(read, vec![json!(id), json!(rows)]).await.unwrap_or_default();
            if let Ok(cells) = serde_json::from_value(cells) {
                return cells;
            }
            if Instant::now() > deadline {
                self.fail(&format!("there is no table with the id \"{id}\"")).await;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Returns the number of elements that a CSS selector finds.
    pub(crate) async fn count(&self, selector: &str) -> u64 {
        let count = self.execute("return document.querySelectorAll(arguments[0]).length", vec![json!(selector)]).await;
        count.unwrap().as_u64().unwrap_or_default()
    }

    /// Returns an attribute of the first element that a CSS selector finds.
    pub(crate) async fn attribute(&self, selector: &str, attribute: &str) -> Option<String> {
        let read = "return document.querySelector(arguments[0])?.getAttribute(arguments[1])";
        let value = self.execute(read, vec![json!(selector), json!(attribute)]).await.unwrap();
        value.as_str().map(str::to_owned)
    }

    /// Returns a computed style of the first element that a CSS selector finds, as `rgb(0, 0, 0)` for a colour.
    pub(crate) async fn style(&self, selector: &str, property: &str) -> String {
        let read = "return getComputedStyle(document.querySelector(arguments[0])).getPropertyValue(arguments[1])";
        let value = self.execute(read, vec![json!(selector), json!(property)]).await.unwrap();
        value.as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the browser is at this address: path and query.
    pub(crate) async fn is_at(&self, address: &str) {
        let deadline = Instant::now() + self.window.patience;
        while self.address().await != address {
            if Instant::now() > deadline {
                self.fail(&format!("the browser is not at {address}")).await;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// Checks that the page is not wider than the window, so that it need not be scrolled sideways.
    pub(crate) async fn fits_the_window(&self) {
        if self.window.scripts {
            // A telephone's window is stable once the page is drawn.
            let drawn = "return new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))";
            self.execute(drawn, Vec::new()).await.unwrap();
        }
        let read = "return [document.documentElement.scrollWidth, innerWidth]";
        let widths: (u64, u64) = serde_json::from_value(self.execute(read, Vec::new()).await.unwrap()).unwrap();
        let wanted = u64::from(self.window.width);
        if widths.0 > wanted || widths.1 != wanted {
            self.fail(&format!("the page is {} pixels wide in a window of {wanted}", widths.0.max(widths.1))).await;
        }
    }

    /// Returns the resources of the page: itself first, then its requests in order; without its icon,
    /// which the browser requests independently.
    pub(crate) async fn parts(&self) -> Vec<Part> {
        let read = "
            return ['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind))
                .filter(part => part.initiatorType !== 'other').map(part => ({
                path: part.name.replace(location.origin, ''), kind: part.initiatorType, bytes: part.transferSize}));";
        serde_json::from_value(self.execute(read, Vec::new()).await.unwrap()).unwrap()
    }

    /// Returns the response of an address of the appliance to this browser, with its cookies.
    pub(crate) async fn download(&self, path: &str) -> Download {
        let fetch = "
            const answer = await fetch(arguments[0]);
            const bytes = new Uint8Array(await answer.arrayBuffer());
            let binary = '';
            for (const byte of bytes) binary += String.fromCharCode(byte);
            return [answer.status, answer.headers.get('content-type') || '',
                answer.headers.get('content-disposition') || '', btoa(binary)];";
        let fetch = format!("return (async (...arguments) => {{{fetch}}})(...arguments)");
        let answer = self.execute_waiting(&fetch, vec![json!(path)]).await;
        let answer = answer.and_then(|answer| serde_json::from_value(answer).map_err(|error| error.to_string()));
        let (status, content_type, disposition, body): (u64, String, String, String) = match answer {
            Ok(answer) => answer,
            Err(error) => self.fail(&format!("{path} cannot be read: {error}")).await,
        };
        let body = base64::engine::general_purpose::STANDARD.decode(body).unwrap();
        Download { status, content_type, disposition, body }
    }

    /// Takes a screenshot of the whole page, `<target>/screenshots/<name>-<width>-<light|dark>.png`.
    pub(crate) async fn screenshot(&self, name: &str) -> PathBuf {
        self.collect().await;
        let path = self.take_picture(name).await.unwrap_or_else(|error| panic!("no picture of {name}: {error}"));
        // The page was stretched to its whole length for it.
        self.still().await;
        path
    }

    pub(crate) async fn take_picture(&self, name: &str) -> Result<PathBuf, String> {
        let whole = json!({"format": "png", "captureBeyondViewport": true});
        let picture = self.devtools("Page.captureScreenshot", &whole).await;
        let picture = picture["data"].as_str().unwrap_or_default();
        let bytes = base64::engine::general_purpose::STANDARD.decode(picture).map_err(|error| error.to_string())?;
        let shade = if self.window.dark { "dark" } else { "light" };
        let path = pictures().join(format!("{name}-{}-{shade}.png", self.window.width));
        std::fs::create_dir_all(pictures()).map_err(|error| error.to_string())?;
        std::fs::write(&path, bytes).map_err(|error| error.to_string())?;
        Ok(path)
    }
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
