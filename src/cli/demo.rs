//! `tidegate demo`: the gateway and a simulated provider on this machine, with lines to copy.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use crate::cli::serve::{self, ServeArgs};

/// What `demo` can be told.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Listen here instead of on 127.0.0.1:4000; port 0 takes any
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4000")]
    listen: SocketAddr,
    /// Serve health and metrics here instead of on 127.0.0.1:4001
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4001")]
    admin: SocketAddr,
    /// Put the policy file here instead of in a temporary folder, to keep and edit it
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

/// The policy that the demo runs, as shipped in `policies/`.
const POLICY: &str = include_str!("../../policies/demo.yaml");

pub fn run(args: &DemoArgs) -> ExitCode {
    let folder =
        args.dir.clone().unwrap_or_else(|| std::env::temp_dir().join(format!("tidegate-demo-{}", std::process::id())));
    let file = folder.join("tidegate.yaml");
    if let Err(error) = write_policy(&folder, &file) {
        eprintln!("error: `{}` cannot be written: {error}", file.display());
        return ExitCode::from(2);
    }
    let serve = ServeArgs {
        files: vec![file.clone()],
        listen: Some(args.listen),
        admin: Some(args.admin),
        raw_content: false,
        no_access_log: false,
    };
    let code = serve::run_with(&serve, |data, admin| print!("{}", guide(data, admin, &file)));
    if args.dir.is_none() {
        // Left-overs in the temporary folder do no harm.
        let _ = std::fs::remove_dir_all(&folder);
    }
    code
}

/// A file that is there already is the user's, and kept.
fn write_policy(folder: &Path, file: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    if file.exists() { Ok(()) } else { std::fs::write(file, POLICY) }
}

fn guide(data: SocketAddr, admin: SocketAddr, file: &Path) -> String {
    let chat = |model: &str, more: &str, content: &str| {
        format!(
            r#"curl http://{data}/v1/chat/completions -H 'content-type: application/json' \
    -d '{{"model":"{model}",{more}"messages":[{{"role":"user","content":"{content}"}}]}}'"#
        )
    };
    format!(
        r#"
Tidegate is running, with a simulated provider behind it. In another terminal:

  # a chat
  {plain}

  # the same, streamed
  {stream}

  # in Anthropic's dialect, translated on the way to an OpenAI-shaped provider and back
  curl http://{data}/v1/messages -H 'content-type: application/json' \
    -d '{{"model":"chat","max_tokens":100,"messages":[{{"role":"user","content":"Hello from the other dialect"}}]}}'

  # the first provider of this model fails, the second answers: see x-tidegate-attempts and x-tidegate-model
  {failing}

  # a request that the policy denies
  {denied}

Any OpenAI or Anthropic SDK works with the base URL http://{data}/v1 (Anthropic: http://{data}).

  policy    {file}   edit it; it is loaded again when you save
  admin     http://{admin}/   a page to look at; /policies /metrics /decisions
  why       tidegate explain ID{port}   what was decided about a request, by its x-request-id

Each request leaves a line below. Ctrl-C stops.

"#,
        plain = chat("chat", "", "Hello"),
        stream = chat("chat", r#""stream":true,"#, "Tell me about tides").replace("curl ", "curl -N "),
        failing = chat("flaky-chat", "", "Is anybody there?").replace("curl ", "curl -i "),
        denied = chat("forbidden", "", "Hello").replace("curl ", "curl -i "),
        file = file.display(),
        port = if admin.port() == 4001 { String::new() } else { format!(" --admin {admin}") },
    )
}
