//! What the page loads beside itself. All of it is in the binary, so that nobody else is asked.

use bytes::Bytes;
use http::{
    HeaderMap, Response, StatusCode,
    header::{CACHE_CONTROL, ETAG, HeaderValue, IF_NONE_MATCH},
};

use crate::http::{Body, respond};

/// A file that never changes while we run.
#[derive(Debug)]
pub struct Asset {
    path: &'static str,
    content_type: &'static str,
    text: &'static str,
}

/// All of them.
static ASSETS: &[Asset] = &[
    Asset {
        path: "/assets/page.css",
        content_type: "text/css; charset=utf-8",
        text: concat!(
            include_str!("../assets/page/top.css"),
            include_str!("../assets/page/cards.css"),
            include_str!("../assets/page/marks.css"),
            include_str!("../assets/page/narrow.css"),
        ),
    },
    Asset {
        path: "/assets/page.js",
        content_type: "text/javascript; charset=utf-8",
        text: include_str!("../assets/page/page.js"),
    },
    Asset {
        path: "/assets/icon.svg",
        content_type: "image/svg+xml",
        text: include_str!("../assets/page/icon.svg"),
    },
    Asset {
        path: "/assets/uplot.css",
        content_type: "text/css; charset=utf-8",
        text: include_str!("../assets/uplot/uPlot.min.css"),
    },
    Asset {
        path: "/assets/uplot.js",
        content_type: "text/javascript; charset=utf-8",
        // Whoever has a copy of the script has its licence.
        text: concat!(
            "/*\n",
            include_str!("../assets/uplot/LICENSE"),
            "*/\n",
            include_str!("../assets/uplot/uPlot.iife.min.js"),
        ),
    },
];

/// The asset of a path.
pub fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

impl Asset {
    /// Itself, or that it is the one the client has: another build may have another.
    pub fn answer(&self, headers: &HeaderMap) -> Response<Body> {
        let tag = format!("\"{:08x}\"", crc32fast::hash(self.text.as_bytes()));
        let known =
            headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
        let mut response = match known {
            true => respond(StatusCode::NOT_MODIFIED, self.content_type, Bytes::new()),
            false => respond(StatusCode::OK, self.content_type, self.text),
        };
        let headers = response.headers_mut();
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(ETAG, tag);
        }
        response
    }
}
