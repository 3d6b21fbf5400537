//! The endpoint table: which path means what.

use http::Method;

use crate::base::ids::DialectId;
use crate::pipeline::facts::Endpoint;

/// What a method and a path ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked<'a> {
    Chat(DialectId),
    CountTokens(DialectId),
    /// The list of models, or the one named.
    Models(Option<&'a str>),
    /// Something to forward; the path below the provider's base URL.
    Opaque(Endpoint, &'a str),
    /// The path exists, but not with this method.
    WrongMethod(&'static str),
    Unknown,
}

/// Looks a request up. Paths are known with and without `/v1`, as clients disagree on what a base URL is.
pub fn find<'a>(method: &Method, path: &'a str) -> Asked<'a> {
    let versioned = path.strip_prefix("/v1").filter(|rest| rest.starts_with('/'));
    let below = versioned.unwrap_or(path);
    let post = |asked| if method == Method::POST { asked } else { Asked::WrongMethod("POST") };
    match below {
        "/chat/completions" => post(Asked::Chat(DialectId::OPENAI_CHAT)),
        "/messages" => post(Asked::Chat(DialectId::ANTHROPIC_MESSAGES)),
        "/messages/count_tokens" => post(Asked::CountTokens(DialectId::ANTHROPIC_MESSAGES)),
        "/models" if method == Method::GET || method == Method::HEAD => Asked::Models(None),
        "/models" => Asked::WrongMethod("GET"),
        _ => match below.strip_prefix("/models/") {
            Some(model) if (method == Method::GET || method == Method::HEAD) && !model.is_empty() => {
                Asked::Models(Some(model))
            }
            _ => opaque(versioned.is_some(), below),
        },
    }
}

fn opaque(is_versioned: bool, below: &str) -> Asked<'_> {
    let first = below.trim_start_matches('/').split('/').next().unwrap_or_default();
    let endpoint = match first {
        "embeddings" => Endpoint::Embeddings,
        "completions" => Endpoint::Completions,
        "responses" => Endpoint::Responses,
        "images" => Endpoint::Images,
        "audio" => Endpoint::Audio,
        "files" | "uploads" => Endpoint::Files,
        "batches" => Endpoint::Batches,
        "moderations" => Endpoint::Moderations,
        "rerank" => Endpoint::Rerank,
        "" => return Asked::Unknown,
        _ if is_versioned => Endpoint::Other,
        _ => return Asked::Unknown,
    };
    // A path that climbs could leave the provider's base URL.
    // Some servers read `%2f` as a slash, so two dots are suspect wherever they stand.
    if below.split('/').any(|part| part == "." || part.contains("..") || part.to_ascii_lowercase().contains("%2e")) {
        return Asked::Unknown;
    }
    Asked::Opaque(endpoint, below)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chat_endpoints_are_known_with_and_without_the_version() {
        for path in ["/v1/chat/completions", "/chat/completions"] {
            assert_eq!(find(&Method::POST, path), Asked::Chat(DialectId::OPENAI_CHAT));
        }
        assert_eq!(find(&Method::POST, "/v1/messages"), Asked::Chat(DialectId::ANTHROPIC_MESSAGES));
        assert_eq!(find(&Method::GET, "/v1/messages"), Asked::WrongMethod("POST"));
    }

    #[test]
    fn other_versioned_paths_are_forwarded() {
        assert_eq!(find(&Method::POST, "/v1/embeddings"), Asked::Opaque(Endpoint::Embeddings, "/embeddings"));
        assert_eq!(find(&Method::GET, "/v1/files/f1/content"), Asked::Opaque(Endpoint::Files, "/files/f1/content"));
        assert_eq!(find(&Method::POST, "/v1/responses"), Asked::Opaque(Endpoint::Responses, "/responses"));
        assert_eq!(find(&Method::POST, "/v1/threads"), Asked::Opaque(Endpoint::Other, "/threads"));
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(find(&method, "/v1/models/a/b"), Asked::Models(Some("a/b")));
        }
    }

    #[test]
    fn unknown_and_climbing_paths_are_not_forwarded() {
        for path in [
            "/",
            "/v1",
            "/v1/",
            "/metrics",
            "/v1/files/../../admin",
            "/v1/x/%2E%2e/y",
            "/v1/x/..%2f..%2Fy",
            "/v1beta/models",
        ] {
            assert_eq!(find(&Method::POST, path), Asked::Unknown, "{path}");
        }
    }
}
