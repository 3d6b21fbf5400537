//! The server itself: limits, health, draining, both HTTP versions.

use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Act, FakeUpstream, House, chat, completion, sse, stream_of, streamed, whole};

fn to(upstream: &FakeUpstream, more: &str) -> String {
    format!(
        "{more}providers:\n  up: {{ kind: openai_compatible, url: \"{}\" }}\npolicies:\n  - policy: p\n    route: up\n",
        upstream.url()
    )
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_with_413() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let house = House::with(&to(&upstream, "limits: { body: 1KiB }\n")).await;
    let mut body = chat("m");
    body["messages"][0]["content"] = json!("x".repeat(2000));
    let answer = house.http.post("/v1/chat/completions", &body).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"], upstream.count()),
        (413, &json!("request_too_large"), 0)
    );
}

#[tokio::test]
async fn bodies_of_every_size_arrive_whole_in_both_directions() {
    for size in [1, 1_000, 10_000, 20_000, 300_000, 5_000_000] {
        let text = "x".repeat(size);
        let upstream = FakeUpstream::answering(&completion(&text)).await;
        let house = House::with(&to(&upstream, "")).await;
        let mut body = chat("m");
        body["messages"][0]["content"] = json!(text);
        let answer = house.http.post("/v1/chat/completions", &body).await;
        assert_eq!((answer.status, answer.says().len()), (200, size));
        assert_eq!(upstream.received()[0].json(), body);
    }
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused_with_its_place() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let house = House::with(&to(&upstream, "")).await;
    for (body, param) in [
        ("{\"model\":\"m\",\"messages\":", json!("messages")),
        (r#"{"model":"m","messages":[{"role":"user","content":7}]}"#, json!("messages[0].content")),
        (r#"{"model":7,"messages":[]}"#, json!("model")),
        (r#"{"model":"m","messages":[],"messages":[]}"#, json!("messages")),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"a","c\u006fntent":"b"}]}"#,
            json!("messages[0].content"),
        ),
    ] {
        let answer = house.http.post_with("/v1/chat/completions", &[], body).await;
        assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &param), "{body}: {}", answer.text());
        assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    }
    assert_eq!(upstream.count(), 0);
    let zipped = house.http.post_with("/v1/chat/completions", &[("content-encoding", "gzip")], "x").await;
    assert_eq!(zipped.status, 415);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_told_apart() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let house = House::with(&to(&upstream, "")).await;
    assert_eq!(house.http.get("/nowhere").await.status, 404);
    let wrong = house.http.get("/v1/chat/completions").await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, "POST"));
    assert_eq!(house.http.get("/metrics").await.status, 404, "metrics are not for callers");
}

#[tokio::test]
async fn the_admin_port_tells_health_metrics_and_policies() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let house = House::with(&to(&upstream, "")).await;
    house.http.post("/v1/chat/completions", &chat("m")).await;
    for path in ["/livez", "/readyz", "/healthz"] {
        assert_eq!(house.admin.get(path).await.status, 200, "{path}");
    }
    let metrics = house.admin.get("/metrics").await;
    assert!(
        metrics.text().contains(r#"tidegate_requests_total{policy="p",status_class="2xx",decision="ok"} 1"#),
        "{}",
        metrics.text()
    );
    let policies = house.admin.get("/policies").await.json();
    assert_eq!(
        (&policies["policies"][0]["policy"], &policies["targets"][0]["breaker"]),
        (&json!("p"), &json!("closed"))
    );
    assert_eq!(house.admin.post("/policies", &json!({})).await.status, 405);
    // A page of somebody else's, whose name leads here.
    for (host, status) in
        [("localhost:1", 200), ("[::1]:1", 200), ("rebound.example", 421), ("127.0.0.1.example:1", 421)]
    {
        let answer = house.admin.send(Method::GET, "/policies", &[("host", host)], "".into()).await;
        assert_eq!(answer.status, status, "{host}");
    }
}

#[tokio::test]
async fn a_drain_lets_requests_end_and_takes_no_new_connection() {
    let mut script = sse::broken_off(&stream_of(&["one"]), 2, Act::Wait(Duration::from_millis(300)));
    script.extend(stream_of(&["one"]).iter().skip(2).map(|frame| sse::data(frame)));
    script.push(sse::end());
    let upstream = FakeUpstream::start(vec![script]).await;
    let house = House::with(&to(&upstream, "")).await;
    let (http, body) = (house.http.clone(), streamed("m"));
    let call = tokio::spawn(async move { http.post("/v1/chat/completions", &body).await });
    while upstream.count() == 0 {
        tokio::task::yield_now().await;
    }
    house.drain.begin();
    assert_eq!(house.admin.get("/readyz").await.status, 503);
    assert_eq!(house.admin.get("/livez").await.status, 200);
    let answer = call.await.unwrap();
    assert_eq!(answer.data().last(), Some(&"[DONE]"));
    tokio::time::timeout(Duration::from_secs(5), house.drain.done()).await.expect("the drain does not end");
    assert!(TcpStream::connect(house.address).await.is_err());
}

#[tokio::test]
async fn a_head_that_dribbles_in_is_cut_off() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let house = House::with(&to(&upstream, "limits: { header_timeout: 100ms }\n")).await;
    let mut slow = TcpStream::connect(house.address).await.unwrap();
    slow.write_all(b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(5), slow.read_to_end(&mut rest)).await.expect("still open").unwrap();
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{}", String::from_utf8_lossy(&rest));
}

#[tokio::test]
async fn a_connection_on_which_nothing_comes_is_closed() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let house = House::with(&to(&upstream, "limits: { header_timeout: 100ms }\n")).await;
    for hello in ["", "P", "PRI * HT"] {
        let mut silent = TcpStream::connect(house.address).await.unwrap();
        silent.write_all(hello.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(5), silent.read_to_end(&mut rest)).await;
        closed.unwrap_or_else(|_| panic!("still open after `{hello}`")).unwrap();
    }
}

/// Sends a request for the models on a connection that is to be kept, and reads the answer's first bytes.
async fn ask_again(client: &mut TcpStream) -> bool {
    client.write_all(b"GET /v1/models HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 4096];
    let read = client.read(&mut answer).await.unwrap();
    answer[..read].starts_with(b"HTTP/1.1 200")
}

#[tokio::test]
async fn a_connection_may_lie_idle_longer_than_a_head_may_take_but_not_forever() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let house = House::with(&to(&upstream, "limits: { header_timeout: 100ms, idle: 1500ms }\n")).await;
    let mut client = TcpStream::connect(house.address).await.unwrap();
    assert!(ask_again(&mut client).await);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(ask_again(&mut client).await, "closed although it had not been idle for long");
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), client.read_to_end(&mut rest)).await.expect("still open").unwrap();
    assert!(rest.is_empty());
}

#[tokio::test]
async fn an_answer_may_take_longer_than_a_connection_may_lie_idle() {
    let upstream = FakeUpstream::start(vec![vec![
        Act::Wait(Duration::from_millis(600)),
        whole(200, &completion("late")).remove(0),
    ]])
    .await;
    let house = House::with(&to(&upstream, "limits: { header_timeout: 100ms, idle: 100ms }\n")).await;
    assert_eq!(house.http.post("/v1/chat/completions", &chat("m")).await.says(), "late");
}

#[tokio::test]
async fn a_caller_that_does_not_take_its_answer_is_given_up() {
    let big = crate::support::chunk(json!({ "content": "x".repeat(64 * 1024) }), None);
    let mut script = vec![sse::head()];
    script.extend(std::iter::repeat_n(sse::data(&big), 1024));
    let mut upstream = FakeUpstream::start(vec![script]).await;
    let house = House::with(&to(&upstream, "limits: { idle: 200ms }\n")).await;
    let body = streamed("m").to_string().into();
    let _unread = house.http.begin(Method::POST, "/v1/chat/completions", &[], body).await;
    upstream.hung_up_on(1).await;
    assert_eq!(house.access_lines(1).await[0]["outcome"], "hang_up");
}

#[tokio::test]
async fn a_full_house_stops_listening_when_it_drains() {
    let upstream = FakeUpstream::start(vec![vec![Act::Stall]]).await;
    let house = House::with(&to(&upstream, "limits: { connections: 1 }\n")).await;
    let (http, body) = (house.http.clone(), chat("m"));
    let call = tokio::spawn(async move { http.post("/v1/chat/completions", &body).await });
    while upstream.count() == 0 {
        tokio::task::yield_now().await;
    }
    house.drain.begin();
    let refused = async {
        while TcpStream::connect(house.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), refused).await.expect("it still listens");
    call.abort();
}

#[tokio::test]
async fn a_key_in_the_query_is_not_taken_for_a_credential() {
    let upstream = FakeUpstream::answering("{}").await;
    let key = tidegate::auth::VirtualKey::generate().unwrap();
    let hash = tidegate::auth::KeyHash::of(key.secret().expose());
    let keys = format!("version: 1\nkeys:\n  k1: {{ hash: \"{hash}\" }}\n");
    let gateway = to(&upstream, "version: 1\ncallers: { keys: keys.yaml }\n");
    let house = House::with_files(&[("tidegate.yaml", &gateway), ("keys.yaml", &keys)]).await;
    let path = format!("/v1/embeddings?key={}", key.secret().expose());
    let answer = house.http.post(&path, &json!({ "model": "m", "input": "x" })).await;
    assert_eq!((answer.status, upstream.count()), (401, 0), "the caller's key went to the provider");
}

#[tokio::test]
async fn a_head_over_the_limit_is_refused() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let house = House::with(&to(&upstream, "limits: { header: 8KiB }\n")).await;
    let mut client = TcpStream::connect(house.address).await.unwrap();
    let head = format!("GET /v1/models HTTP/1.1\r\nhost: x\r\nx-long: {}\r\n\r\n", "y".repeat(20_000));
    client.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
}

#[tokio::test]
async fn http2_without_tls_works_by_prior_knowledge() {
    let upstream = FakeUpstream::answering(&completion("over h2")).await;
    let house = House::with(&to(&upstream, "")).await;
    let client =
        hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).http2_only(true).build_http();
    let body = http_body_util::Full::new(bytes::Bytes::from(chat("m").to_string()));
    let request = http::Request::post(format!("http://{}/v1/chat/completions", house.address)).body(body).unwrap();
    let response = client.request(request).await.unwrap();
    assert_eq!((response.version(), response.status().as_u16()), (http::Version::HTTP_2, 200));
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_says_what_happened() {
    let upstream = FakeUpstream::start(vec![whole(200, &completion("a"))]).await;
    let house = House::with(&to(&upstream, "")).await;
    let answer = house.http.post("/v1/chat/completions", &chat("m")).await;
    assert!(answer.header("x-request-id").starts_with("req_"));
    assert!(answer.header("x-tidegate-overhead-ms").parse::<f64>().unwrap() < 1000.0);
    assert_eq!(answer.header("x-tidegate-revision").len(), 12);
    let line = &house.access_lines(1).await[0];
    assert_eq!(line["request_id"], answer.header("x-request-id"));
}

#[tokio::test]
async fn the_certificate_and_mutual_tls_decide_who_connects() {
    use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let issue = |name: &str, cn: &str| {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, cn);
        params.distinguished_name.push(DnType::OrganizationalUnitName, "search");
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &ca).unwrap();
        (cert, key)
    };
    let (server, client) = (issue("localhost", "server"), issue("client", "alice"));
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let gateway = to(
        &upstream,
        "version: 1\ncallers: { mtls: { team: organizational_unit, user: common_name } }\ntls: { cert: s.crt, key: s.key, client_ca: ca.crt }\n",
    );
    let house = House::with_files(&[
        ("tidegate.yaml", &gateway),
        ("s.crt", &server.0.pem()),
        ("s.key", &server.1.serialize_pem()),
        ("ca.crt", &ca.pem()),
    ])
    .await;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.der().clone()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = || {
        let builder = rustls::ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        builder.with_root_certificates(roots.clone())
    };
    let key = rustls_pki_types::PrivateKeyDer::try_from(client.1.serialize_der()).unwrap();
    let known = builder().with_client_auth_cert(vec![client.0.der().clone()], key).unwrap();
    let answer = raw_tls(known, house.address).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let line = &house.access_lines(1).await[0];
    assert_eq!((&line["team"], &line["user"]), (&json!("search"), &json!("alice")));

    let stranger = builder().with_no_client_auth();
    assert!(!raw_tls(stranger, house.address).await.starts_with("HTTP"));
}

/// Asks for the models over TLS; whatever came back, perhaps nothing.
async fn raw_tls(config: rustls::ClientConfig, address: std::net::SocketAddr) -> String {
    let stream = TcpStream::connect(address).await.unwrap();
    let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
    let Ok(mut stream) = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config)).connect(name, stream).await
    else {
        return String::new();
    };
    let _ = stream.write_all(b"GET /v1/models HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_head_request_and_an_unused_method_do_no_harm() {
    let upstream = FakeUpstream::answering(&completion("a")).await;
    let house = House::with(&to(&upstream, "")).await;
    let head = house.http.send(Method::HEAD, "/v1/models", &[], Default::default()).await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(house.http.send(Method::PUT, "/v1/chat/completions", &[], Default::default()).await.status, 405);
}
