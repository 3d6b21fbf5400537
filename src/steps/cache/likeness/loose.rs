//! Ways to ask that mostly, though not surely, ask the same.
//!
//! "What is the best way to clean a pan?" is answered like "how do I clean a pan?" as a rule; "what is the best way to
//! travel?" is not. So what is taken to be one here is never enough by itself: it is a difference that a
//! [score](super::score) weighs, beside what an embedder says.

/// The text with its opening and some of its phrases replaced by plainer ones, and which opening that was; empty if none.
pub fn loosened(text: &str) -> (String, &'static str) {
    let framed = FRAMES.iter().find_map(|(frame, plain)| Some((framed(text, frame, plain)?, *frame)));
    let openings = OPENINGS.iter().filter_map(|(opening, plain)| Some((opened(text, opening, plain)?, *opening)));
    // The longest: many begin with another one.
    let opened = || openings.max_by_key(|(_, opening)| opening.len());
    let (text, opening) = framed.or_else(opened).unwrap_or_else(|| (text.to_owned(), ""));
    let padded = format!(" {text} ");
    let plain = PHRASES.iter().fold(padded, |text, (phrase, plain)| match text.contains(phrase) {
        true => text.replace(phrase, plain),
        false => text,
    });
    (plain.trim().to_owned(), opening)
}

/// What stands where a frame has its `*`, in a plainer frame.
fn framed(text: &str, frame: &str, plain: &str) -> Option<String> {
    let (begin, end) = frame.split_once('*')?;
    let inner = without_begin(text, begin)?.strip_suffix(end)?;
    (!inner.is_empty() && !inner.starts_with(' ') && !inner.ends_with(' ')).then(|| plain.replace('*', inner))
}

fn opened(text: &str, opening: &str, plain: &str) -> Option<String> {
    Some(format!("{plain}{}", without_begin(text, opening)?))
}

/// In any case: what begins a text may have a capital.
fn without_begin<'a>(text: &'a str, begin: &str) -> Option<&'a str> {
    let (first, rest) = text.split_at_checked(begin.len())?;
    first.eq_ignore_ascii_case(begin).then_some(rest)
}

/// Frames around what is asked about.
const FRAMES: &[(&str, &str)] = &[
    ("what does * mean", "define *"),
    ("what is the meaning of *", "define *"),
    ("what is meant by *", "define *"),
    ("what exactly is *", "define *"),
    ("explain what * is", "define *"),
    ("explain what * means", "define *"),
    ("do you know what * is", "define *"),
    ("how much does * cost", "what is the price of *"),
    ("what does * cost", "what is the price of *"),
    ("how much do * cost", "what is the price of *"),
    ("what is the cost of *", "what is the price of *"),
    ("how much is *", "what is the price of *"),
    ("what is * for", "what is the purpose of *"),
    ("what is * used for", "what is the purpose of *"),
    ("what is the function of *", "what is the purpose of *"),
    ("how many people live in *", "what is the population of *"),
    ("how tall is *", "what is the height of *"),
    ("how high is *", "what is the height of *"),
    ("how old is *", "what is the age of *"),
    ("how long does * last", "what is the lifespan of *"),
    ("who is the author of *", "who wrote *"),
    ("which author wrote *", "who wrote *"),
    ("in what year was *", "when was *"),
    ("in which year was *", "when was *"),
    ("how do * differ", "what is the difference between *"),
    ("what are the differences between *", "what is the difference between *"),
    ("where are * sold", "where can I buy *"),
    ("where is * sold", "where can I buy *"),
    ("explain how * works", "how does * work"),
    ("explain how * work", "how do * work"),
];

/// What questions begin with.
const OPENINGS: &[(&str, &str)] = &[
    ("what is the best way to ", "how to "),
    ("what is a good way to ", "how to "),
    ("what is the right way to ", "how to "),
    ("what is the correct way to ", "how to "),
    ("what is the proper way to ", "how to "),
    ("what is the way to ", "how to "),
    ("what are some ways to ", "how to "),
    ("what are good ways to ", "how to "),
    ("what is the procedure to ", "how to "),
    ("what is the procedure for ", "how to "),
    ("what is the process of ", "how to "),
    ("what is the process for ", "how to "),
    ("what are the steps for ", "how to "),
    ("what are the steps to ", "how to "),
    ("what do I need to do to ", "how to "),
    ("what do I need to do in order to ", "how to "),
    ("what do I have to do to ", "how to "),
    ("what must I do to ", "how to "),
    ("what should I do to ", "how to "),
    ("what can I do to ", "how to "),
    ("what do I do to ", "how to "),
    ("how do I go about ", "how to "),
    ("how should I go about ", "how to "),
    ("how should I go about it if I want to ", "how to "),
    ("how do you ", "how to "),
    ("how can one ", "how to "),
    ("how can someone ", "how to "),
    ("how does someone ", "how to "),
    ("how is it possible to ", "how to "),
    ("what are the best ways to ", "how to "),
    ("what are the ways to ", "how to "),
    ("what are some good ways to ", "how to "),
    ("what are ways to ", "how to "),
    ("how does one ", "how to "),
    ("how do people ", "how to "),
    ("how to best ", "how to "),
    ("how to properly ", "how to "),
    ("so, how to ", "how to "),
    ("so, how do people ", "how to "),
    ("I was wondering how I could ", "how to "),
    ("I was wondering how to ", "how to "),
    ("I have no clue how to ", "how to "),
    ("I have no idea how to ", "how to "),
    ("I do not know how to ", "how to "),
    ("I need to know how to ", "how to "),
    ("walk me through how to ", "how to "),
    ("teach me how to ", "how to "),
    ("teach me to ", "how to "),
    ("instructions to ", "how to "),
    ("instructions for ", "how to "),
    ("steps to ", "how to "),
    ("is it ok to ", "can I "),
    ("is it OK to ", "can I "),
    ("is it okay to ", "can I "),
    ("is there any way to ", "can I "),
    ("is there a way to ", "can I "),
    ("is it necessary to ", "do I have to "),
    ("do I need to ", "do I have to "),
    ("must I ", "do I have to "),
    ("what is the reason that ", "why "),
    ("what is the reason why ", "why "),
    ("how come ", "why "),
    ("for what reason ", "why "),
    ("give me a summary of ", "summarize "),
    ("write a summary of ", "summarize "),
    ("can you explain ", "explain "),
    ("what are some of the best ", "what are the best "),
    ("what are some good ", "what are the best "),
    ("what are some great ", "what are the best "),
    ("what are good ", "what are the best "),
    ("which are some good ", "what are the best "),
    ("which are the best ", "what are the best "),
    ("what is a good ", "what is the best "),
    ("which is the ", "what is the "),
    ("which are the ", "what are the "),
    ("which ", "what "),
    ("how much time does it take to ", "how long does it take to "),
    ("in which place is ", "where is "),
    ("what is a good place to ", "where can I "),
    ("where do I ", "where can I "),
    ("where should I ", "where can I "),
];

/// Words that stand for one. Each begins and ends with a space, and so does what it is replaced by.
const PHRASES: &[(&str, &str)] = &[
    (" get rid of ", " remove "),
    (" take care of ", " care for "),
    (" look after ", " care for "),
    (" sign up for ", " register for "),
    (" sign up ", " register "),
    (" set up ", " configure "),
    (" turn on ", " enable "),
    (" switch on ", " enable "),
    (" turn off ", " disable "),
    (" switch off ", " disable "),
    (" get over ", " overcome "),
    (" get better at ", " improve "),
    (" get ready for ", " prepare for "),
    (" make money ", " earn money "),
    (" on the internet ", " online "),
    (" on the Internet ", " online "),
    (" in order to ", " to "),
    (" to learn how to ", " to learn to "),
    (" learn how to ", " learn to "),
    (" phone number ", " number "),
];
