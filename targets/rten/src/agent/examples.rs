//! What people say when they want a tool, for the tools a home usually has, and when they want none.
//!
//! A tool that is not here is compared by its description alone.

/// The name under which the examples without a tool stand.
pub(crate) const NONE: &str = "";

/// Requests for each tool. A file is written `report.txt`, a folder `stuff/`, a quotation in quotes: before
/// comparison the person's own are replaced by the same words.
pub(crate) const REQUESTS: &[(&str, &[&str])] = &[
    (
        "ls",
        &[
            "What files are there?",
            "List the files",
            "Show the files in the folder stuff/",
            "What is in the folder stuff/?",
            "Which files are in stuff/?",
            "Show me the directory",
            "What do I have in this directory?",
            "List stuff/",
            "What documents are in the folder?",
            "How many files does the folder hold?",
            "Is the folder stuff/ empty?",
            "Let me see which files exist in stuff/",
            "What is stored in the folder stuff/?",
            "Show everything in here",
            "Which subfolders are in this folder?",
            "what's in this folder",
        ],
    ),
    (
        "read",
        &[
            "Read report.txt",
            "What does report.txt say?",
            "Show me report.txt",
            "Open report.txt",
            "Display the file report.txt",
            "What is in the file report.txt?",
            "Summarise report.txt",
            "Who is mentioned in report.txt?",
            "What is the answer to this? See report.txt",
            "According to report.txt, how much does it cost?",
            "When is it due? It is in report.txt",
            "Explain what report.txt does",
            "Look into report.txt and tell me the name",
            "Give me the contents of report.txt",
            "Which number is in report.txt?",
            "I need the address from report.txt",
            "Find the name in report.txt",
        ],
    ),
    (
        "grep",
        &[
            "Search for \"apple\"",
            "Search for apple in the folder stuff/",
            "Find \"apple\" in my files",
            "Which files contain apple?",
            "Which file mentions apple?",
            "Where is apple mentioned?",
            "Look for the word apple in stuff/",
            "Find every line with apple in report.txt",
            "In which file is the variable apple set?",
            "Where is the function apple defined?",
            "Where is apple used?",
            "Does the word apple occur anywhere?",
            "grep apple",
            "Find the text apple in all documents",
            "Which of my notes talk about apple?",
            "Show all lines that have apple in report.txt",
            "Is apple mentioned in any file?",
        ],
    ),
    (
        "remember",
        &[
            "Remember that I live in Rome",
            "Please remember my name is Kim",
            "Keep in mind that I don't eat fish",
            "Note that the key is in the drawer",
            "Make a note: the bus leaves at nine",
            "Don't forget that Tom is coming",
            "Remember this: the door code is 77",
            "Save the fact that I own a cat",
            "Store this: my size is large",
            "Memorise that the shop closes at noon",
            "For the future: I like short answers",
            "Take note that we meet on Monday",
            "You should know that I work nights, remember it",
            "I'd like you to remember that I hate noise",
        ],
    ),
    (
        "time",
        &[
            "What is the time?",
            "What time is it now?",
            "What's the date?",
            "What is today's date?",
            "Which day is it today?",
            "Tell me the time",
            "What time is it in Cairo?",
            "Current date and time",
            "What month are we in?",
            "Is it morning or afternoon?",
            "How late is it in Chicago?",
            "What day of the week is today?",
            "what year do we have",
            "the time please",
        ],
    ),
    (
        "write",
        &[
            "Write \"hello\" to report.txt",
            "Create a file report.txt with the text hello",
            "Save this in report.txt: hello",
            "Put the word hello into a new file report.txt",
            "Make a file called report.txt that says hello",
            "Create a new file called report.txt with a list of names",
        ],
    ),
    (
        "edit",
        &[
            "Replace \"one\" with \"two\" in report.txt",
            "Change one to two in report.txt",
            "In report.txt, rename one to two",
            "Fix the typo in report.txt: \"one\" should be \"two\"",
            "Edit report.txt and replace one by two",
        ],
    ),
    (
        "glob",
        &[
            "Find all files named *.txt",
            "Which files end in .txt?",
            "Find every file matching *.txt",
            "Show all text files by name",
            "Are there any files called report?",
        ],
    ),
    (
        "shell",
        &[
            "Run the command \"make\"",
            "Execute \"make\" in the shell",
            "Run make test",
            "Start the program in a terminal",
            "Use the command line to check the disk",
        ],
    ),
    (
        "recall",
        &[
            "What do you remember about my cat?",
            "What did I tell you about my job?",
            "Do you remember where I live?",
            "What have you noted about the key?",
            "What is my name?",
            "Recall what I said about Monday",
            "What is my cat called?",
            "How old am I?",
            "Where do I work?",
            "Which colour do I like best?",
            "When is my birthday?",
            "Who is my dentist?",
            "What's the name of my sister?",
            "Do I eat meat?",
        ],
    ),
    (
        NONE,
        &[
            "Hello!",
            "Good morning, how are you doing?",
            "Thank you very much",
            "What is the capital of Italy?",
            "Who painted the Mona Lisa?",
            "Tell me a story",
            "Write a poem about spring",
            "What is 7 plus 5?",
            "How do you say cat in French?",
            "What does democracy mean?",
            "Explain how a rocket works",
            "Why do leaves fall?",
            "What is your name?",
            "What are you able to do?",
            "I am tired",
            "Give me an idea for dinner",
            "Bye",
            "How many days are in a year?",
            "What is the opposite of hot?",
            "Can you help me?",
            "How far away is the moon?",
            "Who was the first president?",
        ],
    ),
];

/// The worked examples in front of every request the model sees: instruction, tool, arguments.
pub(crate) const SHOTS: &[(&str, &str, &str)] = &[
    (
        "Open letters/aunt.txt",
        "read",
        r#"{"path": "letters/aunt.txt"}"#,
    ),
    ("Who painted the Mona Lisa?", "none", "{}"),
    (
        "Find all lines about oranges in the fruit folder",
        "grep",
        r#"{"pattern": "oranges", "path": "fruit"}"#,
    ),
    ("What time is it now?", "time", "{}"),
    ("Show the files in garden", "ls", r#"{"path": "garden"}"#),
    (
        "Remember that Tom plays the violin",
        "remember",
        r#"{"text": "Tom plays the violin"}"#,
    ),
    ("Good morning, how are you doing?", "none", "{}"),
    (
        "Where is my cousin Lena mentioned?",
        "grep",
        r#"{"pattern": "Lena"}"#,
    ),
    ("List the files", "ls", "{}"),
    (
        "How much does it cost? See prices.csv",
        "read",
        r#"{"path": "prices.csv"}"#,
    ),
];

/// What is asked for although a home may not offer it, and what it would need.
pub(crate) const OFTEN_MISSING: &[(&str, &str)] = &[
    ("write", "writes files"),
    ("edit", "changes files"),
    ("shell", "runs programs"),
];

/// The requests of a tool, if it is a known one.
pub(crate) fn requests(tool: &str) -> &'static [&'static str] {
    REQUESTS
        .iter()
        .find(|(name, _)| *name == tool)
        .map_or(&[], |(_, requests)| *requests)
}
