//! Keys and tokens that their issuers gave a form of their own.

use crate::steps::redact::checks::entropy;
use crate::steps::redact::kind::Profile::{Default, Secrets};
use crate::steps::redact::kind::{Edge, Kind, Profile, Shape};

const SECRET: &[Profile] = &[Default, Secrets];

/// A token by its issuer.
const fn token(
    name: &'static str,
    says: &'static str,
    shapes: &'static [Shape],
    examples: &'static [&'static str],
    counters: &'static [&'static str],
) -> Kind {
    Kind {
        name,
        label: "SECRET",
        says,
        profiles: SECRET,
        near: &["key", "token", "secret"],
        unless: &[],
        shapes,
        examples,
        counters,
    }
}

/// A token of letters and digits, `_` and `-` that may go on.
const fn open(regex: &'static str) -> Shape {
    Shape::new(regex).edge(Edge::Word).tail(r"[A-Za-z0-9_-]*").check(varied)
}

pub const KINDS: &[Kind] = &[
    token(
        "openai_key",
        "a key of OpenAI, or of one that follows its form",
        &[
            open(r"sk-(?:proj-|svcacct-|admin-|None-)[A-Za-z0-9_-]{20}"),
            open(r"sk-[A-Za-z0-9]{20}"),
            open(r"sk-or-v1-[0-9a-f]{32}"),
        ],
        &["«sk-proj-aB3dE5fG7hI9jK1lM3nO5pQ7rS9t-_x»,", "key=«sk-aB3dE5fG7hI9jK1lM3nOT3BlbkFJpQ7rS9tU1vW3xY5z»"],
        &["sk-learn", "task-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
    ),
    token(
        "anthropic_key",
        "a key of Anthropic",
        &[open(r"sk-ant-(?:api|admin|oat)\d{2}-[A-Za-z0-9_-]{20}")],
        &["«sk-ant-api03-aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW-AA»"],
        &["sk-ant-api03-short"],
    ),
    token(
        "google_key",
        "an API key of Google",
        &[
            Shape::new(r"AIza[A-Za-z0-9_-]{35}").check(varied),
            open(r"GOCSPX-[A-Za-z0-9_-]{24}"),
            open(r"ya29\.[A-Za-z0-9_-]{20}"),
        ],
        &["«AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q»"],
        &["AIzaSyA1b2C3"],
    ),
    token(
        "groq_key",
        "a key of Groq",
        &[open(r"gsk_[A-Za-z0-9]{32}")],
        &["«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»"],
        &["gsk_short"],
    ),
    token(
        "huggingface_token",
        "a token of Hugging Face",
        &[open(r"(?:hf|api_org)_[A-Za-z0-9]{30}")],
        &["«hf_aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH»"],
        &["hf_model"],
    ),
    token(
        "llm_key",
        "a key of xAI, Perplexity, Replicate, Fireworks or NVIDIA",
        &[open(r"(?:xai-|pplx-|r8_|fw_|nvapi-)[A-Za-z0-9_-]{24}")],
        &["«xai-aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5z»"],
        &["fw_update"],
    ),
    token(
        "aws_access_key",
        "an access key's id of AWS",
        &[Shape::new(r"(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AROA|ANPA)[A-Z2-7]{16}").check(|text| entropy(text) > 2.5)],
        &["«AKIAIOSFODNN7EXAMPLE»"],
        &["AKIAIOSFODNN7EXAMPLEX", "AKIAAAAAAAAAAAAAAAAA"],
    ),
    token(
        "azure_key",
        "a storage key or a client's secret of Azure",
        &[
            open(r"AccountKey=[A-Za-z0-9+/]{80}").tail(r"[A-Za-z0-9+/]*={0,2}"),
            open(r"SharedAccessKey=[A-Za-z0-9+/]{40}").tail(r"[A-Za-z0-9+/]*={0,2}"),
            Shape::new(r"[A-Za-z0-9_~.]{3}[78]Q~[A-Za-z0-9_~.-]{31,34}").needs(b'~'),
        ],
        &[
            "DefaultEndpointsProtocol=https;AccountName=x;«AccountKey=Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==»;",
            "«abc8Q~aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3x»",
        ],
        &["AccountKey="],
    ),
    token(
        "github_token",
        "a token of GitHub",
        &[open(r"gh[pousr]_[A-Za-z0-9]{36}"), open(r"github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{30}")],
        &["«ghp_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5»."],
        &["ghp_short", "ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"],
    ),
    token(
        "gitlab_token",
        "a token of GitLab",
        &[open(r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent)-[A-Za-z0-9_-]{20}")],
        &["«glpat-aB3dE5fG7hI9jK1lM3nO»"],
        &["glpat-short"],
    ),
    token(
        "slack_token",
        "a token or a hook of Slack",
        &[
            open(r"xox[abeoprs]-[A-Za-z0-9-]{10}"),
            open(r"xapp-\d-[A-Z0-9]{8}"),
            Shape::new(
                r"https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9_]{8,12}/[A-Za-z0-9_]{8,14}/[A-Za-z0-9_]{18,26}",
            ),
        ],
        &[
            "«xoxb-123456789012-1234567890123-aB3dE5fG7hI9jK1lM3nO5pQ7»",
            "«https://hooks.slack.com/services/T00000000/B00000000/aB3dE5fG7hI9jK1lM3nO5pQ7»",
        ],
        &["xoxb-1"],
    ),
    token(
        "stripe_key",
        "a key of Stripe",
        &[open(r"(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{20}"), open(r"whsec_[A-Za-z0-9]{30}")],
        &["«sk_live_aB3dE5fG7hI9jK1lM3nO5pQ7»"],
        &["sk_live_short"],
    ),
    token(
        "twilio_key",
        "a key or an account of Twilio",
        &[Shape::new(r"(?:SK|AC)[0-9a-f]{32}").check(varied)],
        &["«SK0123456789abcdef0123456789abcdef»"],
        &["SK0123456789abcdef"],
    ),
    token(
        "sendgrid_key",
        "a key of SendGrid, Mailgun or Mailchimp",
        &[
            open(r"SG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{32}"),
            open(r"key-[0-9a-f]{32}"),
            Shape::new(r"[0-9a-f]{32}-us\d{1,2}"),
        ],
        &["«SG.aB3dE5fG7hI9jK1lM3nO5p.aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5zA7bC9d»"],
        &["SG.short.x"],
    ),
    token(
        "registry_token",
        "a token of npm, PyPI, crates.io, Docker Hub or RubyGems",
        &[
            open(r"npm_[A-Za-z0-9]{36}"),
            open(r"pypi-[A-Za-z0-9_-]{50}"),
            open(r"dckr_pat_[A-Za-z0-9_-]{24}"),
            open(r"rubygems_[0-9a-f]{40}"),
            open(r"cio[A-Za-z0-9]{32}"),
        ],
        &[
            "«npm_aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3xY5»",
            "«pypi-AgEIcHlwaS5vcmcCJGFiY2RlZmdoLWlqa2wtbW5vcC1xcnN0LXV2d3h5ejAxMjM0NQ»",
        ],
        &["npm_config_registry", "pypi-server"],
    ),
    token(
        "vendor_token",
        "a token of DigitalOcean, Shopify, Linear, Notion, Doppler, Databricks, Grafana, Sentry, HashiCorp, Telegram or Discord",
        &[
            open(r"do[opr]_v1_[0-9a-f]{40}"),
            open(r"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
            open(r"lin_api_[A-Za-z0-9]{32}"),
            open(r"(?:secret|ntn)_[A-Za-z0-9]{40}"),
            open(r"dp\.(?:pt|st|ct|sa)\.[A-Za-z0-9.]{30}"),
            open(r"dapi[0-9a-f]{32}"),
            open(r"gl(?:sa|c)_[A-Za-z0-9+/_]{32}"),
            open(r"sntry[su]_[A-Za-z0-9_=+/]{40}"),
            open(r"hvs\.[A-Za-z0-9_-]{24}"),
            Shape::number(r"\d{8,10}:AA[A-Za-z0-9_-]{33}"),
            Shape::new(r"[MNO][A-Za-z0-9_-]{23,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,38}").check(varied),
        ],
        &[
            "«dop_v1_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef»",
            "«123456789:AAaB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3»",
        ],
        &["secret_santa"],
    ),
];

/// Not one letter over and over, as in samples.
fn varied(text: &str) -> bool {
    let tail = text.rsplit(['_', '=', ':', '.']).next().unwrap_or(text);
    entropy(tail.get(tail.len().saturating_sub(20)..).unwrap_or(tail)) > 2.6
}
