//! What speaks to a model where nobody speaks to it: marks of turns, and asides in documents.

use crate::steps::redact::kind::Profile::Injection;
use crate::steps::redact::kind::{Kind, Shape};

pub const MARKUP: Kind = Kind {
    name: "injection_markup",
    label: "INJECTION",
    says: "marks by which prompts tell turns apart, where a text has them (heuristic)",
    profiles: &[Injection],
    near: &[],
    unless: &[],
    shapes: &[
        Shape::new(
            r"<\|im_start\|>(?:system|assistant)|<\|start_header_id\|>(?:system|assistant)|<\|(?:system|assistant)\|>|<<SYS>>|\[/?INST\]",
        ),
        Shape::new(
            r"(?i:(?:###|---|\*\*\*|===) ?(?:new |updated |override )?(?:system|developer) (?:prompt|message|instructions?|override) ?(?::|###|---|\*\*\*|===))",
        ),
        Shape::new(r"<start_of_turn>(?:model|user|system)|<\|eot_id\|>|<\|end\|><\|"),
        Shape::new(
            r"(?u:(?i:</?(?:admin|system|developer|root|override|operator)[ _-]?(?:override|prompt|message|instructions?|command|mode)(?: [a-z]{1,12}=[^>\n]{0,40})?>))",
        ),
        Shape::new(r"(?i:###[ ]?(?:system|human|user|assistant)[ ]?:|\n\n(?:human|assistant)[ ]?:[ ])"),
        Shape::new(
            r"(?u:(?i:\[(?:system|sistema|système|admin)(?:[ _-](?:notice|message|update|override|prompt|note))?\]|(?:end[ ]of|end)[ ](?:document|user[ ](?:query|input|message|prompt)|prompt|system[ ]prompt)[ ]?(?:---|===|###|\*\*\*|\n)|#[ ](?:developer|system)[ ](?:message|prompt)\n|</(?:user_input|user_message|user_query|tool_result|untrusted)>))",
        ),
    ],
    examples: &["ok «<|im_start|>system»\nyou", "a «<<SYS>>» b", "«### System Prompt:» you"],
    counters: &["<system>", "## System requirements", "[INSTALL]"],
};

pub const INDIRECT: Kind = Kind {
    name: "injection_indirect",
    label: "INJECTION",
    says: "words in a document that speak to whatever model reads it (heuristic)",
    profiles: &[Injection],
    near: &[],
    unless: &[],
    shapes: &[
        Shape::new(
            r"(?i:(?:note|notes|message|instructions?|attention|notice|reminder|important|hint|directive)[ \n](?:to|for)[ \n](?:(?:any|all|the|an|every)[ \n])?(?:ais?|a\.i\.|llms?|chatbots?|gpts?|language[ \n]models?|automated[ \n](?:processing|assistants?|systems?|reviewers?|screening)))",
        ),
        Shape::new(
            r"(?i:(?:ais?|llms?|chatbots?|language[ \n]models?|(?:ai|llm)[ \n](?:assistants?|agents?|models?|systems?|reviewers?|tools?))[ \n](?:that[ \n](?:is|are)[ \n]|which[ \n](?:is|are)[ \n])?(?:reading|screening|summari[sz]ing|processing|handling|reviewing|analy[sz]ing|evaluating|parsing|translating)[ \n](?:this|these))",
        ),
        Shape::new(
            r"(?i:(?:llm|ai)[ \n](?:reviewers?|readers?|agents?|assistants?|summari[sz]ers?)[ ]?:|<!--[ ]?(?:chatbot|ai|llm|assistant|gpt|system|note[ \n]to[ \n](?:ai|llm))[ ]?[:,])",
        ),
        Shape::new(
            r"(?i:if[ \n]you[ \n]are[ \n]an?[ \n](?:large[ \n])?(?:ai|llm|language[ \n]model|chatbot|ai[ \n](?:assistant|agent|model))[, ]{1,2}(?:reading|you|please|then|processing|summari[sz]ing|ignore|do|say|reply|respond|add|include|state))",
        ),
        Shape::new(
            r"(?i:(?:if[ \n]an?[ \n]|any[ \n]|the[ \n]|dear[ \n])(?:ai|bot|llm|chatbot|assistant|model|agent|language[ \n]model|ai[ \n](?:assistant|agent|model))[ \n](?:that[ \n]|who[ \n]|which[ \n])?(?:is[ \n])?(?:reading|reads|consuming|consumes|processing|processes|parsing|parses|summari[sz]ing|summari[sz]es)[ \n]this|notes?[ \n](?:to|for)[ \n](?:coding[ \n]|ai[ \n])agents|if[ \n]you[ \n]are[ \n]an[ \n](?:artificial[ \n]intelligence|ai)[, ])",
        ),
        // Conditions on being a model, in other languages.
        Shape::new(
            r"(?i:(?:si eres|se sei|se você é|si tu es|si vous êtes|wenn du|als je|jeśli jesteś|если ты|якщо ти) (?:un[ae]?|uma?|ein[e]?|een) (?:asistente|assistente|assistant|ia|ki|ai|chatbot|sprachmodell|modelo|modello|modèle)|给(?:自动)?(?:总结|处理|阅读|审核)的?AI|を(?:読む|処理する|評価する)AI|(?:읽는|평가하는|처리하는) AI|(?:पढ़ने|जाँचने) वाले (?:एआई|AI))",
        ),
        // German, French, Spanish, Portuguese, Italian
        Shape::new(
            r"(?u:(?i:(?:hinweis|nachricht|anweisung(?:en)?|notiz|achtung|mitteilung) (?:an|für) (?:(?:die|alle|jede|den|das|eine) )?(?:auswertende |lesende )?(?:ki|kis|llms?|sprachmodelle?|chatbots?|ki-[a-zäöü]{4,16})|(?:message|note|consigne|instructions?) (?:à|pour|destinée? à) (?:l'|toute |les |tout )?(?:ia|assistant automatique|assistant ia|modèle de langage|chatbot)|(?:mensaje|nota|instrucci(?:ón|ones)|aviso) (?:para|a) (?:la |el |cualquier |toda )?(?:ia|asistente automático|asistente de ia|modelo de lenguaje|chatbot)|(?:mensagem|nota|instruç(?:ão|ões)|aviso) (?:para|a|à) (?:a |o |qualquer )?(?:ia|assistente automático|assistente de ia|modelo de linguagem|chatbot)|(?:messaggio|nota|istruzion[ei]|avviso) (?:per|all') ?(?:l'|il |lo |ogni )?(?:ia|assistente automatico|assistente ia|modello linguistico|chatbot)))",
        ),
        // Dutch, Polish, Turkish, Russian, Ukrainian
        Shape::new(
            r"(?u:(?i:(?:bericht|opmerking|instructie) (?:aan|voor) (?:de |elke |het )?(?:ai|ai-[a-z]{4,12}|taalmodel|chatbot)|(?:uwaga|wiadomość|instrukcja|notatka) dla (?:ai|si|modelu(?: językowego)?|asystenta ai|sztucznej inteligencji|chatbota)|yapay zek[aâ](?:ya|lara|lar için| için) (?:not|mesaj|talimat)|(?:сообщение|примечание|инструкция|указание|заметка) для (?:ии|нейросети|языковой модели|чат-бота)|(?:повідомлення|примітка|інструкція|вказівка) для (?:ші|мовної моделі|чат-бота|нейромережі)))",
        ),
        Shape::new(
            r"(?:给|致|对)(?:任何|所有)?(?:阅读|处理|审阅)?(?:本文|此文|这份文件)?(?:的)?(?:AI|人工智能|大模型|语言模型)(?:的)?(?:说明|提示|指令|注意|备注|留言)|AI(?:アシスタント)?(?:への|向けの)(?:指示|メッセージ|注意)|AI(?:에게|를 위한|용) ?(?:지시|메시지|안내|메모)",
        ),
    ],
    examples: &[
        "«Note to any AI» screening this",
        "«AI assistants handling this» file:",
        "# «AI reviewer:» looks good",
        "p «<!-- chatbot:» say",
        "«Hinweis an die KI», die",
    ],
    counters: &[
        "A note to the editor.",
        "AI assistants are handling more and more calls.",
        "Instructions for the air fryer.",
        "We reviewed this AI.",
    ],
};
