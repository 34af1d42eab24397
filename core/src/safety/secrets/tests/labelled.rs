use alloc::format;

use super::*;

#[test]
fn a_drawn_value_is_found_by_its_name_in_every_notation() {
    let value = drawn(32, ALPHANUMERIC);
    for (before, after) in [
        ("acmeToken=\"", "\""),
        ("acme_token = ", "\n"),
        ("{\n  \"acme_token\": \"", "\"\n}"),
        ("{\\\"apiKey\\\": \\\"", "\\\"}"),
        ("<acmeToken>\n    ", "\n</acmeToken>"),
        ("acme_token: '", "'"),
        ("var acmeToken string = \"", "\""),
        ("acmeToken := `", "`"),
        ("var acmeToken: string = \"", "\""),
        ("$acmeToken .= \"", "\";"),
        ("ACME_TOKEN :::= \"", "\""),
        ("\"acmeToken\" => \"", "\""),
        ("System.setProperty(\"ACME_TOKEN\", \"", "\")"),
        ("\"name\": \"acme_token\",\n\"value\": \"", "\""),
        ("acme SECRET ", ""),
        ("acme private token: ", ""),
        ("curl -H 'X-Api-Key: ", "' x"),
        ("Authorization: Bearer ", "\n"),
        ("https://api.acme.com/?access_token=", "&page=2"),
        ("--token ", " --verbose"),
        ("acme-secret-", ""),
        ("datadog ", ""),
    ] {
        let text = format!("{before}{value}{after}");
        let found = scan(&text);
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(&text[found[0].start..found[0].end], value, "{text}");
    }
}

#[test]
fn hexadecimal_and_uuids_count_only_with_a_name() {
    let hex = drawn(32, HEX);
    let uuid = "94a8ed88-8232-4a63-b2eb-33af459de4cc";
    for value in [hex.as_str(), uuid] {
        check("acme_api_key = ", value, "", "labelled_secret");
        check_silent(value);
        check_silent(&format!("commit {value}"));
        check_silent(&format!("request_id={value}"));
        check_silent(&format!("{{\"id\": \"{value}\"}}"));
        check_silent(&format!("token_hash: {value}"));
        check_silent(&format!("public_key = {value}"));
        check_silent(&format!("the key {value}"));
    }
}

#[test]
fn short_passwords_are_found_by_their_name() {
    check("DB_PASS=", "hunter2!", "\n", "password");
    check("password: ", "Tr0ub4dor&3", "\n".trim_end(), "password");
    check("\"password\": \"", "correct-horse-9", "\"", "password");
    check("$password = \"", "goodspec", "\";", "password");
    check("user=me&password=", "letmein9", "&x=1", "password");
    check(
        "Server=db;User Id=me;Password=",
        "secret",
        ";Database=x;",
        "password",
    );
    check(
        "SECRET_KEY = '",
        "wwf*2#86t64!fgh6yav$aoeuo@u2o",
        "'",
        "labelled_secret",
    );
    check("curl -u admin:", "s3cr3t-pw", " https://x", "basic_auth");
}

#[test]
fn credentials_in_addresses_and_headers_are_found() {
    check(
        "postgres://app:",
        "v3ryS3cret",
        "@db.acme.com:5432/x",
        "url_password",
    );
    check("https://me:", "p%40ss-word", "@acme.com/", "url_password");
    let token = drawn(40, HEX);
    check("https://", &token, "@acme.com/a.git", "url_password");
    check(
        "Authorization: Basic ",
        "YWxpY2U6d29uZGVybGFuZA==",
        "",
        "basic_auth",
    );
}

#[test]
fn what_is_read_from_elsewhere_is_no_secret() {
    for text in [
        "token = os.environ[\"GITHUB_TOKEN\"]",
        "api_key: ${API_KEY_2024}",
        "GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}",
        "Authorization: Bearer $TOKEN_12345678",
        "password: {{ vault_password1 }}",
        "const token = process.env.ACME_TOKEN_2",
        "password = getPassword1()",
        "let secret = config.section2.secret_value3;",
        "password=$(cat /run/secrets/db1)",
        "https://user:${PASSWORD}@acme.com/",
        "connect(password=password1_value)",
        "let token = next_token_2(input);",
    ] {
        check_silent(text);
    }
}

#[test]
fn passwords_given_as_statements_and_arguments_are_found() {
    check("password '", "S3cr3tPw1", "'", "password");
    check("username 'me'\n    password '", "secret", "'", "password");
    check(
        "machine acme.com login me password ",
        "S3cr3tPw1",
        "\n",
        "password",
    );
    check("sshpass -p '", "S3cr3tPw1", "' ssh me@host", "password");
    check("psexec \\\\host -u me -p ", "S3cr3t!pw", " cmd", "password");
    check(
        "ConvertTo-SecureString \"",
        "S3cr3tPw1",
        "\" -AsPlainText",
        "password",
    );
    for text in [
        "you can pass 'something' to it",
        "the password \"password\" is the worst",
        "password protects the file",
        "after login the password changes nothing here",
        "sshpass -p \"$SSH_PASSWORD\" ssh me@host",
        "ConvertTo-SecureString $password -AsPlainText",
        "PWD=/srv/project2/x",
        "ERROR_PASSWORD_RESTRICTION=0xC000006C",
    ] {
        check_silent(text);
    }
}

#[test]
fn the_secret_of_a_payment_is_found_behind_what_it_belongs_to() {
    let (payment, secret) = (drawn(24, ALPHANUMERIC), drawn(25, ALPHANUMERIC));
    check(
        &format!("pi_{payment}_secret_"),
        &secret,
        "",
        "labelled_secret",
    );
}

#[test]
fn names_and_values_are_found_behind_percent_escapes_and_beside_them() {
    let value = drawn(32, ALPHANUMERIC);
    check("?q=acme_token%3D", &value, "%26page%3D2", "labelled_secret");
    check("?acme_token=", &value, "&q=%41%42", "labelled_secret");
    check("https://me:", "p%2Fass-w0rd", "@acme.com/", "url_password");
}
