//! The names a model goes by.
//!
//! A list is asked for the name as it stands first. Only a name that it does not have is looked for without what
//! vendors add to names: the date of a snapshot, `:latest`, the version and the region of Amazon Bedrock.
//!
//! A region is dropped last: a list may price `global.` apart from the regions.

use jiff::civil::Date;

/// The names to look for, the most exact first.
pub(super) fn candidates<'a>(vendor: &str, model: &'a str) -> Vec<&'a str> {
    let model = model.strip_prefix("models/").unwrap_or(model);
    let model = if vendor == BEDROCK { without_arn(model) } else { model };
    let mut names = vec![model];
    let strips: &[fn(&str) -> Option<&str>] = if vendor == BEDROCK {
        &[without_revision, without_version, without_date]
    } else {
        &[without_latest, without_date]
    };
    for strip in strips {
        names.extend(names.last().and_then(|name| strip(name)));
    }
    if vendor == BEDROCK {
        let regionless: Vec<_> = names.iter().filter_map(|name| without_region(name)).collect();
        names.extend(regionless);
    }
    names
}

/// `arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0`
fn without_arn(model: &str) -> &str {
    if model.starts_with("arn:") { model.rsplit('/').next().unwrap_or(model) } else { model }
}

fn without_latest(model: &str) -> Option<&str> {
    model.strip_suffix(":latest")
}

/// `-2025-04-14`, `-20250414`, `@20250414`
fn without_date(model: &str) -> Option<&str> {
    [("-", "%Y-%m-%d", 10), ("-", "%Y%m%d", 8), ("@", "%Y-%m-%d", 10), ("@", "%Y%m%d", 8)].into_iter().find_map(
        |(mark, format, length)| {
            let (rest, date) = model.split_at_checked(model.len().checked_sub(length)?)?;
            Date::strptime(format, date).ok()?;
            rest.strip_suffix(mark).filter(|rest| !rest.is_empty())
        },
    )
}

/// The `:0` of `amazon.nova-lite-v1:0`.
fn without_revision(model: &str) -> Option<&str> {
    model.rsplit_once(':').filter(|(_, number)| is_number(number)).map(|(rest, _)| rest)
}

/// The `-v1` of `amazon.nova-lite-v1`.
fn without_version(model: &str) -> Option<&str> {
    model.rsplit_once("-v").filter(|(_, number)| is_number(number)).map(|(rest, _)| rest)
}

fn without_region(model: &str) -> Option<&str> {
    model.split_once('.').filter(|(region, _)| REGIONS.contains(region)).map(|(_, rest)| rest)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

const BEDROCK: &str = "bedrock";

/// <https://docs.aws.amazon.com/bedrock/latest/userguide/inference-profiles-support.html>
const REGIONS: &[&str] = &["us", "eu", "apac", "global", "us-gov", "jp", "au", "ca", "in"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_dropped_only_where_it_is_one() {
        assert_eq!(candidates("openai", "gpt-4.1-2025-04-14"), ["gpt-4.1-2025-04-14", "gpt-4.1"]);
        assert_eq!(candidates("anthropic", "claude-sonnet-4-5-20250929")[1], "claude-sonnet-4-5");
        assert_eq!(candidates("anthropic", "claude-sonnet-4-5@20250929")[1], "claude-sonnet-4-5");
        assert_eq!(candidates("openai", "model-2025-13-40"), ["model-2025-13-40"]);
        assert_eq!(candidates("openai", "model-99999999"), ["model-99999999"]);
        assert_eq!(candidates("openai", "ü-2025-04-14"), ["ü-2025-04-14", "ü"]);
    }

    #[test]
    fn a_region_of_bedrock_is_dropped_last() {
        let names = candidates("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0");
        assert_eq!(names[3], "us.anthropic.claude-sonnet-4-5");
        assert_eq!(names[4], "anthropic.claude-sonnet-4-5-20250929-v1:0");
        assert_eq!(names[7], "anthropic.claude-sonnet-4-5");
    }

    #[test]
    fn only_bedrock_has_regions_and_versions() {
        assert_eq!(candidates("openai", "us.gpt-4o-v1:0"), ["us.gpt-4o-v1:0"]);
        assert_eq!(candidates("openai", "gpt-4o:latest"), ["gpt-4o:latest", "gpt-4o"]);
        let arn = "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.amazon.nova-lite-v1:0";
        assert_eq!(candidates("bedrock", arn).last(), Some(&"amazon.nova-lite"));
    }
}
