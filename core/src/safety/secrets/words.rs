//! The words that names are made of, as far as they say what a value is.

/// What a word says of the value it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// The value is a secret: `token`, `password`.
    Secret,
    /// It may be one: `key`, `access`.
    Key,
    /// It makes a key a secret one: `api`, `signing`.
    Kind,
    /// The value is something else: `hash`, `id`, `path`, `public`.
    Other,
    /// It says nothing: `value`, `string`, `prod`.
    Filler,
    /// The name of a service that gives out keys.
    Vendor,
    /// Not in the tables.
    Unknown,
}

/// What a word says, whatever the case of its letters.
pub(super) fn classify(word: &[u8]) -> Word {
    if may_be_known(word)
        && let Some(meaning) = look_up(hash(&Letters::of(word)))
    {
        return meaning;
    }
    if word.len() < 5 {
        return Word::Unknown;
    }
    // Names written together: `apikey`, `authtoken`, `uclassifykey`.
    let ends = |ends: &[&[u8]]| {
        ends.iter().any(|end| {
            let start = word.len().checked_sub(end.len());
            start.is_some_and(|start| word[start..].eq_ignore_ascii_case(end))
        })
    };
    match word.last().map(|last| last | 0x20) {
        Some(b'y')
            if ends(&[
                b"apikey",
                b"accesskey",
                b"secretkey",
                b"privatekey",
                b"authkey",
            ]) =>
        {
            Word::Secret
        }
        Some(b'y') if word.len() > 5 && ends(&[b"key"]) => Word::Key,
        Some(b'n') if ends(&[b"token", b"tkn"]) => Word::Secret,
        Some(b't') if ends(&[b"secret"]) => Word::Secret,
        Some(b'd') if ends(&[b"password", b"passwd"]) => Word::Secret,
        Some(b's') if ends(&[b"access"]) => Word::Key,
        Some(b'e') if ends(&[b"private"]) => Word::Key,
        _ => Word::Unknown,
    }
}

/// The first letters of the words of names, a bit for each, by how long the words are.
static FIRST: [u32; 25] = {
    let lists: [&[u8]; 6] = [SECRET, KEY, KIND, OTHER, FILLER, VENDOR];
    let mut first = [0; 25];
    let (mut list, mut start, mut at) = (0, 0, 0);
    while list < lists.len() {
        let words = lists[list];
        if at == words.len() || words[at] == b' ' {
            first[at - start] |= 1 << (words[start] & 31);
            start = at + 1;
        }
        at += 1;
        if at > words.len() {
            (list, start, at) = (list + 1, 0, 0);
        }
    }
    first
};

/// Whether a known word is as long and begins with that letter.
fn may_be_known(word: &[u8]) -> bool {
    let first = word.first().map_or(0, |first| 1 << (first & 31));
    FIRST[word.len().min(24)] & first != 0
}

/// Whether a word stands in examples where a password would.
pub(super) fn is_common(word: &[u8]) -> bool {
    look_up(hash(&Letters::of(word)) ^ AS_PASSWORD) == Some(Word::Unknown)
}

fn look_up(hash: u32) -> Option<Word> {
    let mut slot = hash as usize % SLOTS;
    while TABLE[slot] != EMPTY {
        let [meaning, high @ ..] = TABLE[slot];
        let [_, first, second, third] = hash.to_le_bytes();
        if high == [second, third] && meaning & !MEANING == first & !MEANING {
            return Some(MEANINGS[usize::from(meaning & MEANING)]);
        }
        slot = (slot + 1) % SLOTS;
    }
    None
}

/// Sets the hashes of common passwords apart from those of the words of names.
const AS_PASSWORD: u32 = 0x5bd1_e990;

const SLOTS: usize = 1024;
/// The bits of a place that hold what the word says; the others are the word's hash.
const MEANING: u8 = 7;
const EMPTY: [u8; 3] = [0; 3];
const MEANINGS: [Word; 8] = [
    Word::Unknown,
    Word::Secret,
    Word::Key,
    Word::Kind,
    Word::Other,
    Word::Filler,
    Word::Vendor,
    Word::Unknown,
];

/// The words below, by their hashes, with open addressing. Made at compile time, so that the words
/// themselves are not in the program.
static TABLE: [[u8; 3]; SLOTS] = table();

const fn table() -> [[u8; 3]; SLOTS] {
    let lists: [&[u8]; 7] = [SECRET, KEY, KIND, OTHER, FILLER, VENDOR, COMMON];
    let mut table = [EMPTY; SLOTS];
    let mut list = 0;
    while list < lists.len() {
        let words = lists[list];
        let mut start = 0;
        while start < words.len() {
            let mut end = start;
            while end < words.len() && words[end] != b' ' {
                end += 1;
            }
            let apart = if list == 6 { AS_PASSWORD } else { 0 };
            let hash = hash(&Letters::within(words, start, end)) ^ apart;
            let mut slot = hash as usize % SLOTS;
            while table[slot][0] != 0 {
                slot = (slot + 1) % SLOTS;
            }
            let [_, first, second, third] = hash.to_le_bytes();
            table[slot] = [first & !MEANING | (list as u8 + 1), second, third];
            start = end + 1;
        }
        list += 1;
    }
    table
}

/// Of the letters, eight at a time, whatever their case.
const fn hash(word: &Letters) -> u32 {
    let mut hash = 0_u64;
    let mut at = 0;
    while at < word.eights {
        hash = (hash ^ word.folded[at]).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= hash >> 29;
        at += 1;
    }
    (hash >> 16) as u32
}

/// The first 24 letters of a word in small letters, with spaces behind.
struct Letters {
    folded: [u64; 3],
    /// How many of them are not empty.
    eights: usize,
}

impl Letters {
    const FOLD: u64 = 0x2020_2020_2020_2020;

    fn of(word: &[u8]) -> Self {
        let mut folded = [Self::FOLD; 3];
        for (place, piece) in folded.iter_mut().zip(word.chunks(8)) {
            *place |= match piece.first_chunk::<8>() {
                Some(eight) => u64::from_le_bytes(*eight),
                None => piece
                    .iter()
                    .rev()
                    .fold(0, |word, &byte| word << 8 | u64::from(byte)),
            };
        }
        Self {
            folded,
            eights: word.len().min(24).div_ceil(8),
        }
    }

    /// Those of a part of a list.
    const fn within(list: &[u8], start: usize, end: usize) -> Self {
        let length = if end - start < 24 { end - start } else { 24 };
        let mut folded = [Self::FOLD; 3];
        let mut at = 0;
        while at < length {
            folded[at / 8] |= (list[start + at] as u64) << (at % 8 * 8);
            at += 1;
        }
        Self {
            folded,
            eights: length.div_ceil(8),
        }
    }
}

const SECRET: &[u8] = b"token tokens tok tkn secret secrets password passwd passphrase passwort pass \
pwd pat apikey apikeys authkey authtoken accesskey secretkey privatekey bearer credential credentials \
creds cred auth authorization authentication dsn jwt psk passcode crumb apitoken sid";

const KEY: &[u8] =
    b"key keys access private session cookie hmac salt webhook license licence oauth hook";

const KIND: &[u8] = b"api account service encryption encrypt signing master shared storage app application \
admin consumer client deploy subscription rest server dev developer integration prod production \
management ingest instrumentation gateway functions security merchant personal live user team project \
bot x org deployment";

const OTHER: &[u8] = b"hash sha sha1 sha256 sha384 sha512 md5 digest checksum integrity fingerprint commit \
revision rev ref uuid guid id ids etag nonce iv signature sig crc version tag oid path file filename url \
uri endpoint host hostname name type length len size index count header prefix suffix format algorithm \
alg class kind image address addr public pub issuer subject serial trace span request correlation color \
font icon expires expiry ttl limit primary foreign cache sort partition map dict row object idempotency \
hot short group composite unique i18n translation message routing range host known trusted kid \
verification verify resolved boundary cid txid transaction block event device blob node sitekey site \
certificate cert thumbprint x5t modulus username email hashes seed digests did";

const FILLER: &[u8] = b"value val values string str text const let var is to as set default env export \
literal varchar char byte bytes new static final b r u f the s v my your current test staging base64 b64 \
data raw option some basic data type=text apikeyauth header-value put add property setproperty getenv \
config params param";

/// Services whose name alone, before a drawn value, says what that is.
const VENDOR: &[u8] = b"aws amazon gcp azure heroku mailgun mailchimp mailjet mandrill sendgrid postmark \
sparkpost twilio nexmo vonage stripe paypal square braintree datadog newrelic sentry rollbar bugsnag \
splunk grafana honeycomb logz logzio loggly sumologic dynatrace snyk sonar sonarcloud codecov coveralls \
codacy circleci travis jenkins buildkite drone netlify vercel fastly cloudflare akamai linode vultr \
hetzner scaleway digitalocean github gitlab bitbucket npm pypi rubygems nuget jfrog artifactory wandb \
huggingface openai anthropic cohere mistral groq replicate deepgram assemblyai elevenlabs pinecone algolia \
elastic mongodb redis snowflake databricks confluent okta auth0 onelogin duo jumpcloud intercom zendesk \
freshdesk hubspot salesforce pipedrive asana trello jira monday airtable notion figma miro dropbox box \
discord slack telegram zoom mapbox openweather owm pyowm shodan virustotal securitytrails censys alchemy \
infura etherscan bscscan polygonscan moralis coinbase binance kraken bitfinex bittrex finnhub polygon \
tiingo alphavantage quandl shippo easypost plaid dwolla gocardless klaviyo amplitude mixpanel segment \
launchdarkly optimizely contentful sanity storyblok prismic ably pusher pubnub onesignal pushover \
pushbullet unsplash giphy spotify lastfm flickr foursquare yelp tomtom blazemeter runscope browserstack \
saucelabs lambdatest posthog telnyx plivo messagebird bandwidth nylas typeform jotform surveymonkey \
calendly bitly rebrandly ngrok tailscale doppler vault pulumi terraform consul nomad skrapp hunter \
clearbit smartsheet smartsheets surveybot beamer canny squarespace refiner teamwork teamworkdesk \
teamworkspaces rapidapi scrapingbee scraperapi zenrows apify cloudant softlayer \
abuseipdb accuweather adafruit adobe adyen aftership airbrake airship alibaba aliyun apiflash apilayer \
appcues aviationstack baremetrics betterstack bombbomb browserless bugherd capsulecrm chargebee chartmogul \
clicksend clockify cloudinary cloudsmith coinapi coinlayer convertkit currencylayer deepai deepseek \
delighted detectlanguage docparser docusign edamam elasticemail endorlabs enigma exchangerate fastforex \
fibery firebase fullstory geoapify geocodio getresponse glassnode graphhopper gumroad harness hellosign \
helpscout honeybadger imagekit infobip ipapi ipinfo ipstack keenio kucoin lemlist linear linkedin livestorm \
locationiq lokalise mailboxlayer mailerlite mapquest marketstack mattermost mediastack metaapi mockaroo mux \
newsapi numverify nutritionix nytimes omnisend opencage openuv openrouter opsgenie packagecloud pagerduty \
paystack pdflayer peopledatalabs perplexity pinata pipedream podio positionstack postman prodpad prefect \
qubole quickbase railway rawg razorpay recharge robinhood scalr screenshotapi sendbird sendinblue serpapi \
signalwire sinch sourcegraph sportradar stormglass strava stytch supabase tatum textmagic theoddsapi \
thinkific todoist tomorrowio tradier travelpayouts twelvedata twitch twitter typesense uploadcare \
uptimerobot urlscan userstack veriphone voyage vpnapi weatherbit weatherstack webex webflow workos \
worldweather wrike xero yandex zapier zenkit zenscrape zenserp zeplin zerobounce zoho zulip";

/// What stands for a password where none is told, and what forms say about one.
const COMMON: &[u8] = b"password passwd passphrase pass pwd secret token none null true false string \
required optional hidden text undefined default empty test tests testing changeit enter confirm username \
user value input number boolean integer object function return prompt ignore ignored disabled enabled \
invalid forgot reset update change create current missing unknown plain bcrypt argon2 sha256 md5 \
mypassword my_password my-password userpassword user_password yourpassword newpassword oldpassword \
password1 password123 pass123 new_password old_password password_hash passwordhash db_password test123 \
testpass testpassword test_password password_confirmation somepassword base64 utf-8 bearer basic";
