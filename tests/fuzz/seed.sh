#!/bin/sh
# Fills the corpus of each target with what the repository holds of its kind.
set -eu
cd "$(dirname "$0")"
seed() {
    mkdir -p "corpus/$1"
    target="$1"
    shift
    for file in "$@"; do
        cp "$file" "corpus/$target/$(basename "$(dirname "$file")")-$(basename "$file")"
    done
}
seed sse_reader ../fixtures/*/stream-*.sse
seed json_reader ../fixtures/*/*.json
for dialect in openai:openai_chat anthropic:anthropic_messages; do
    seed "${dialect%:*}_request" ../fixtures/"${dialect#*:}"/request-*.json
    seed "${dialect%:*}_answer" ../fixtures/"${dialect#*:}"/answer-*.json
    seed "${dialect%:*}_stream" ../fixtures/"${dialect#*:}"/stream-*.sse
done
seed policy_file ../../policies/*.yaml
mkdir -p corpus/key_file
printf '%s\n' 'version: 1' 'keys:' '  a:' \
    '    hash: "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"' \
    '    team: support' '    user: u1' '    tags: [prod, eu]' '    models: [gpt-4*]' \
    '    expires: 2027-01-01T00:00:00Z' '    revoked: true' > corpus/key_file/every-field
seed redact_json ../fixtures/*/*.json
mkdir -p corpus/redact_text
# The examples of every type, which its page shows.
grep -ho 'examples: &\[.*' ../../src/steps/redact/kinds/*.rs | tr -d '«»' | split -l 1 - corpus/redact_text/type-
