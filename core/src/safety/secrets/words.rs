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

/// What a word in small letters says.
pub(super) fn classify(word: &[u8]) -> Word {
    for (list, meaning) in LISTS {
        if list.split(|&byte| byte == b' ').any(|entry| entry == word) {
            return meaning;
        }
    }
    // Names written together: `apikey`, `authtoken`, `uclassifykey`.
    let ends = |list: &[u8]| {
        list.split(|&byte| byte == b' ')
            .any(|end| word.ends_with(end))
    };
    if ends(SECRET_ENDS) {
        Word::Secret
    } else if word.len() > 5 && word.ends_with(b"key") || ends(KEY_ENDS) {
        Word::Key
    } else if VENDOR_STARTS
        .split(|&byte| byte == b' ')
        .any(|start| word.starts_with(start))
    {
        Word::Vendor
    } else {
        Word::Unknown
    }
}

const LISTS: [(&[u8], Word); 6] = [
    (SECRET, Word::Secret),
    (KEY, Word::Key),
    (KIND, Word::Kind),
    (OTHER, Word::Other),
    (FILLER, Word::Filler),
    (VENDOR, Word::Vendor),
];

const SECRET: &[u8] = b"token tokens tok tkn secret secrets password passwd passphrase passwort pass \
pwd pat apikey apikeys authkey authtoken accesskey secretkey privatekey bearer credential credentials \
creds cred auth authorization authentication dsn jwt psk passcode crumb apitoken sid";

const SECRET_ENDS: &[u8] =
    b"apikey accesskey secretkey privatekey authkey token secret passwd password \
apisecret tkn";

const KEY: &[u8] =
    b"key keys access private session cookie hmac salt webhook license licence oauth hook";

const KEY_ENDS: &[u8] = b"access private";

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
certificate cert thumbprint x5t modulus username email hashes seed digests";

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
teamworkspaces rapidapi scrapingbee scraperapi zenrows apify cloudant softlayer";

/// The same, for names with something behind them.
const VENDOR_STARTS: &[u8] = b"cloudsmith mailjet mailgun openweather";
