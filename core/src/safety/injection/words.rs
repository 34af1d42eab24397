//! The words that attacks are made of, by what they do in one, in many languages.
//!
//! Each row: what the words stand for, how much one of them is a reason to look closer (see
//! [`super::prefilter`]), and the words. A star ends a stem. Two to four words make a phrase.

/// What a word does in an attack: a set, since a word can do several things.
pub(super) type Concepts = u64;

macro_rules! concepts {
    ($($name:ident)*) => { concepts!(@ 0; $($name)*); };
    (@ $place:expr; $name:ident $($rest:ident)*) => {
        pub(super) const $name: Concepts = 1 << ($place);
        concepts!(@ $place + 1; $($rest)*);
    };
    (@ $place:expr;) => {};
}

concepts! {
    IGNORE PRIOR ALL ORDERS CONTENT YOUR YOU SHOW SECRET SEND
    MODE MODE_NAME BECOME PERSONA UNBOUND LIMITS WITHOUT MUST MACHINE ANSWER INSERT URGENT READ
    PATH LINK OPENING IDENTITY HARM REGARDLESS ONLY SPEAKER EXACTLY STOP REPEAT
    FORWARD_3 FORWARD_13 FORWARD_23 MIRRORED REVERSED PRESSURE PRETEXT USER BEFORE_TOOL SILENTLY ENABLE TWO_ANSWERS CHAT_END
    SYSTEM_SAYS LEAK_PHRASE OVERRIDE_PHRASE UNBOUND_PHRASE HIDE_PHRASE PLACEHOLDER TALK INTO_LINK
    NEW_ORDERS FREED TOLD_BEFORE YOUR_LIMITS DISABLE IGNORE_ABOVE INSTEAD UNTOLD
}

/// Phrases that are said in no other way: one of them is enough for a rule that has it in each group.
pub(super) const ALONE: Concepts = NEW_ORDERS | FREED | TOLD_BEFORE;

/// The rows.
pub(super) const WORDS: &[(Concepts, u8, &str)] = &[
    // Setting orders aside.
    (
        IGNORE,
        5,
        "ignore, ignores, ignoring, disregard, disregards, disregarding, neglect, bypass, bypassing, override, overriding, overwrite, circumvent, discard",
    ),
    (IGNORE, 5, "forget, forgets, abandon, nevermind, never mind"),
    (
        IGNORE,
        5,
        "do not follow, don't follow, do not obey, stop following, do not adhere, pay no attention, never mind, do away with, set aside, throw away, no longer follow, clear your, wipe your, not be bound by, stop obeying, leave behind",
    ),
    (
        IGNORE,
        5,
        "ignorier*, missachte*, vergiss, vergessen, verwerfe, verwirf, ueberschreibe*, überschreibe*, umgehe, ignorez, ignorer, oubliez, oublie, oublier, négligez, outrepasse*, ignora, ignorad, ignoren, olvida, olvide, olviden, descarta, descarte, anula, omite, omitir, ignori, ignorate, dimentica*, trascura, scarta, ignorar, esqueça, esquece, esqueca, desconsider*, negeer*, vergeet, игнорир*, проигнорир*, забудь*, забыть, отбрось*, отмени*, пренебре*, zignoruj*, ignoruj*, zapomnij*, pomiń*, odrzuć*, görmezden gel*, yoksay*, yok say*, unut*, dikkate alma*, göz ardı*",
    ),
    (
        IGNORE,
        5,
        "忽略*, 無視*, 无视*, 忘记*, 忘記*, 忘掉*, 不要理会*, 不要遵*, 抛开*, 取消*, 無効*, 忘れ*, 従わな*, 무시*, 잊어*, 잊으*, 따르지*, تجاهل*, تجاهلي, انس, انسى, أهمل, لا تتبع, अनदेखा, नज़रअंदाज*, नजरअंदाज*, भूल, भूलो, भूलकर, उपेक्षा, bỏ qua, quên, abaikan, lupakan, αγνόησε*, ξέχασε*, התעלם*, התעלמו, شכח, ละเว้น*, shpërfill*, injoro*, harro*, neamhaird*, dearmad, leig seachad, ziba*, unganaki*, khohlwa*, puuza, sahau",
    ),
    // Which ones.
    (
        PRIOR,
        3,
        "previous, previously, prior, preceding, foregoing, aforementioned, preexisting, earlier, former",
    ),
    (
        PRIOR,
        1,
        "above, before, original, existing, initial, past, until now, so far, up to now, rest of",
    ),
    (
        PRIOR,
        3,
        "vorherig*, vorig*, bisherig*, obig*, vorangegangen*, vorangehend*, ursprünglich*, précédent*, antérieur*, ci dessus, anterior, anteriores, previas, previos, previo, previa, precedent*, anterior*, sopra, acima, prévia*, vorige, eerdere, voorgaande, bovenstaande, предыдущ*, прежн*, прошл*, предшеств*, вышеуказан*, poprzedni*, wcześniejsz*, powyższ*, wszystki*, önceki*, yukarıdaki*",
    ),
    (
        PRIOR,
        3,
        "之前*, 以前*, 先前*, 以上*, 上述*, 上面*, 前面*, 此前*, 前の*, これまで*, 上記*, 이전*, 앞의*, 앞선*, 위의*, 지금까지*, السابقة, السابق, أعلاه, السابقه, पिछले, पिछली, पिछला, पूर्व, ऊपर, trước, trên, sebelumnya, προηγούμεν*, הקודמ*, ก่อนหน้*, mëparshm*, roimhe*, roimh, edlule, zangaphambili, a bh ann roimhe",
    ),
    (
        ALL,
        0,
        "all, any, every, everything, anything, whatever, each, these, those, the, my, our, of, this",
    ),
    (
        ALL,
        0,
        "alle*, tous, toutes, toute, tout, todas, todos, toda, tutte, tutti, ogni, все, всех, всё, wszystkie, tüm, bütün, 所有*, 全部*, 一切*, すべて*, 全て*, 모든*, جميع, كل, सभी, सब, tất cả, semua, të gjitha, gach, zonke, le, les, las, los, die, die, de, os, as",
    ),
    (
        ORDERS,
        3,
        "instruction, instructions, directive, directives, guideline, guidelines, programming, safeguards, directions, protocols",
    ),
    (
        ORDERS,
        1,
        "prompt, prompts, rules, rule, commands, command, orders, order, constraints, restrictions, policies, policy, training, tasks, requests, request, limitations, filters",
    ),
    (
        ORDERS,
        3,
        "anweisung*, instruktion*, befehl*, vorgaben, richtlinien, regeln, consigne*, directives, règles, instruccion*, órdenes, indicaciones, directrices, reglas, istruzion*, direttive, ordini, regole, instruç*, instruc*, ordens, diretrizes, regras, opdracht*, regels, richtlijnen, инструкци*, указани*, команд*, правил*, директив*, instrukcj*, polece*, wytyczn*, zasad*, talimat*, yönerge*, komut*, kural*",
    ),
    (
        ORDERS,
        3,
        "指令*, 指示*, 说明*, 說明*, 规则*, 規則*, 命令*, 提示*, 要求*, 设定*, プロンプト*, ルール*, 지시*, 명령*, 지침*, 규칙*, 프롬프트*, التعليمات, تعليمات, الأوامر, أوامر, التوجيهات, القواعد, निर्देश*, निर्देशों, आदेश*, नियम*, hướng dẫn, chỉ thị, lệnh, instruksi, perintah, οδηγί*, הוראות, ההוראות, ההנחיות, คำสั่ง*, udhëzim*, treoracha, treoir*, stiùiridh*, stiuiridh*, imiyalelo, imiyalo, iziqondiso, maagizo",
    ),
    (
        CONTENT,
        1,
        "message, messages, conversation, conversations, text, texts, context, input, inputs, content, question, questions, document, documents, article, data, information, sentence, paragraph, directions, task, said, told, instructed, programmed, learned, query, snippets, work, resume, chat",
    ),
    (
        CONTENT,
        2,
        "nachricht*, texte, conversation, mensaje*, texto, contexto, testo, messaggi*, contesto, mensagen*, tekst*, bericht*, сообщени*, текст*, wiadomośc*, metin, mesaj*, 内容*, 对话*, 消息*, 内容, 会話*, 문장*, 대화*, 내용*, النص, الرسائل, المحادثة",
    ),
    (
        OVERRIDE_PHRASE,
        6,
        "new instructions, new instruction, updated instructions, urgent new task, new task is, new task, new directive, new directives, new orders, your real task, your actual task, your true task, priority task, new objective, new goal is, main task is now, updated task, important instructions, new rules, override code, instead do, instead of the above, instead just, stop everything, do this instead, your only task, instructions have changed, task has changed, instructions are void, real instructions, actual instructions, ignore above, forget everything, disregard everything, ignore everything, forget all, disregard all, ignore all, neue anweisungen, neue anweisung, neue aufgabe, nouvelles instructions, nouvelle tâche, nuevas instrucciones, nueva tarea, nuove istruzioni, nuovo compito, novas instruções, nova tarefa, nieuwe instructies, nieuwe taak, новые инструкции, новая задача, nowe instrukcje, nowe zadanie, yeni talimat*, yeni görev*, udhëzime të reja, detyrë e re, treoracha nua, tasc nua, stiùiridhean ùra, gnìomh ùr, imiyalelo emisha, umsebenzi omusha",
    ),
    (
        OVERRIDE_PHRASE,
        6,
        "新指令*, 新的指令*, 新任务*, 新的任务*, 新しい指示*, 新たな指示*, 新しい命令*, 새로운지시*, 새지시*, 새로운명령*, تعليمات جديدة, مهمة جديدة, नए निर्देश, नया कार्य",
    ),
    (
        REGARDLESS,
        2,
        "regardless, irrespective, no matter, notwithstanding, even if, whatever the, superior to, takes precedence, take precedence, higher priority, highest priority, no matter what, outrank*, precedence over, supersedes",
    ),
    (
        STOP,
        1,
        "stop, halt, end of, nevermind, wait, cancel, abort, instead, actually, oops, forget it, sorry, but first, before that, also, finally, afterwards",
    ),
    (
        EXACTLY,
        2,
        "exactly, verbatim, literally, word for word, exact, precisely, as it is, as is, character by character, line by line, without changes, wörtlich, textuellement, mot pour mot, textualmente, palabra por palabra, alla lettera, literalmente, letterlijk, дословно, dosłownie, kelimesi kelimesine, 逐字*, そのまま*, 一字一句*, 그대로*, حرفيا, शब्दशः, saktësisht, cruinn, dìreach, njengoba unjalo",
    ),
    (
        ONLY,
        1,
        "only, just, simply, solely, exclusively, nothing else, nothing but, no other, with no further, and only this",
    ),
    (
        URGENT,
        1,
        "urgent, important, critical, crucial, priority, immediately, emergency, warning, attention, asap, mandatory, essential, vital, wichtig, dringend, urgence, importante, urgente, belangrijk, важно, срочно, ważne, pilne, önemli, acil, 重要*, 紧急*, 緊急*, 중요*, 긴급*, عاجل, مهم, महत्वपूर्ण, e rëndësishme, tábhachtach*, cudromach*, ebalulekile",
    ),
    (
        LEAK_PHRASE,
        8,
        "system prompt, system prompts, system message, system messages, system instructions, system instruction, initial prompt, initial instructions, original instructions, hidden instructions, hidden prompt, secret instructions, secret prompt, developer message, developer prompt, developer instructions, your instructions, your prompt, your guidelines, your rules, your configuration, your initialization, your directives, prompt above, text above, words above, message above, everything above, instructions above, content above, above this message, above this line, above text, above message, conversation start, prior to this message, before this message, instructions you were given, instructions you received, you were told, you were given, first message, first instruction, custom instructions, pre prompt, systemprompt, system anweisung*, systemaufforderung*, systemnachricht, prompt système, invite système, instructions système, message système, instructions initiales, prompt del sistema, mensaje del sistema, instrucciones del sistema, instrucciones iniciales, prompt de sistema, prompt di sistema, istruzioni di sistema, messaggio di sistema, istruzioni iniziali, prompt do sistema, instruções do sistema, mensagem do sistema, instruções iniciais, systeemprompt, systeeminstructies, systeembericht, системный промпт, системную инструкцию, системные инструкции, системного промпта, системное сообщение, системные указания, instrukcje systemowe, prompt systemowy, komunikat systemowy, wiadomość systemową, sistem istemi*, sistem talimat*, sistem mesaj*, sistem komut*, начальные инструкции",
    ),
    (
        LEAK_PHRASE,
        8,
        "系统提示*, 系統提示*, 系统指令*, 系统消息*, 系统信息*, 初始指令*, 初始提示*, 原始指令*, 你的指令*, 你的提示*, 你的设定*, システムプロンプト*, システムメッセージ*, システム指示*, 初期指示*, 最初の指示*, 시스템프롬프트*, 시스템메시지*, 시스템지시*, 초기지시*, 시스템명령*, موجه النظام, تعليمات النظام, رسالة النظام, تعليماتك, الموجه الأصلي, सिस्टम प्रॉम्प्ट, सिस्टम निर्देश, सिस्टम संदेश, prompt hệ thống, lời nhắc hệ thống, prompt sistem, instruksi sistem, mesazhin e sistemit, mesazhi i sistemit, theachtaireacht chórais, teachtaireachd an t siostaim, umyalezo wesistimu, umyalezo wohlelo",
    ),
    (
        YOUR,
        0,
        "your, yours, you, ur, the, dein, deine, deinen, deiner, ihre, ihren, ton, ta, tes, votre, vos, tu, tus, su, sus, tuo, tua, tue, tuoi, suo, teu, sua, seu, jouw, je, uw, твой, твои, твоего, свой, свои, ваши, ваш, twoje, twój, swoje, swój, senin, 你的*, 您的*, あなたの*, 너의*, 당신의*, आपके, अपने, अपना, أنت, tënde, tënd, do, agad, wakho, yakho",
    ),
    (
        YOU,
        0,
        "you, u, du, sie, tu, vous, tú, usted, você, voce, ты, вы, ty, sen, 你*, 您*, あなた*, 너는*, 당신*, أنت, तुम, आप",
    ),
    (
        SHOW,
        1,
        "reveal, show, print, output, repeat, paste, display, tell, leak, share, disclose, dump, expose, recite, quote, list, write, give, provide, reproduce, return, echo, spell, summarize, summarise, translate, describe, type, copy, say, state, send, transcribe, enumerate, encode, divulge, what is, what are, what's, what were, go line, include",
    ),
    (
        SHOW,
        3,
        "zeige, zeig, verrate, offenbare, wiederhole, gib, nenne, drucke, schreibe, révèle*, affiche*, montre*, répète*, imprime*, donne*, quel est, quelles sont, revela, revele, muestra, muéstrame, muestre, imprime, repite, repita, dime, cuáles son, cuál es, rivela, rivelami, mostra, mostrami, stampa, ripeti, dimmi, revele, mostre, repita, diga, exiba, toon, onthul, herhaal, geef, druk, покажи*, раскрой*, выведи*, повтори*, напечатай*, напиши*, скажи, ujawnij, pokaż, wypisz, powtórz, wyświetl, podaj, göster*, yazdır*, tekrarla*, açıkla*, söyle*",
    ),
    (
        SHOW,
        2,
        "显示*, 顯示*, 透露*, 泄露*, 输出*, 打印*, 重复*, 告诉*, 公开*, 列出*, 表示*, 出力*, 教えて*, 見せて*, 開示*, 繰り返*, 公開*, 보여*, 출력*, 공개*, 알려*, 반복*, 말해*, اعرض, اكشف, اطبع, كرر, أظهر, أخبرني, दिखाओ, दिखाएं, बताओ, बताएं, प्रकट, दोहराएं, प्रिंट, tiết lộ, hiển thị, tampilkan, ungkapkan, shfaq, përsërit*, trego, táirg, taispeáin, athdhéan, roinn, nochd, ath aithris, rachailt, phinda, phumela, veza, khombisa",
    ),
    (
        OPENING,
        5,
        "starting with, starts with, beginning with, start with, begins with, beginning of, first sentence, first line, first paragraph, first words, from the beginning, from the start, from the top, words above, duke filluar me, ag tosú le, a tòiseachadh le, eqala ngo, fjalia e parë, chéad abairt",
    ),
    (
        IDENTITY,
        3,
        "unique id, unique identifier, your id, your secret, your passphrase, unqiue id, id në tënde, uimhir aitheantais, id sònraichte, id yakho, your secret key, your api key, your access code",
    ),
    // Enough by themselves, and what is nearly so.
    (
        NEW_ORDERS,
        8,
        "your new instructions, your new instruction, your new task is, your new role is, your new objective is, your new goal is, here are your new, new system prompt, system prompt override, override system prompt, system override disable, system override ignore, system override you, system override all, instructions were a test, end of user input, end of user message, end of system prompt, you will obey me, must obey me, you must obey me, only obey me",
    ),
    (
        FREED,
        8,
        "you are now dan, you are dan, now in developer mode, enter developer mode, enter dan mode, enter jailbreak mode, enable jailbreak mode, enable dan mode, activate dan mode, activate jailbreak mode, now in jailbreak mode, now in dan mode, unlock admin mode, have been jailbroken, you are jailbroken, you are now jailbroken, stop being an assistant, stop being an ai, pretend you have no, pretend to have no, as if you have no, as if you had no, you have no guidelines, you have no restrictions, imagine you have no",
    ),
    (
        TOLD_BEFORE,
        8,
        "were you told before, were you instructed before, were you given before, everything above this line, everything above this message, text above this line, words above this line, your hidden rules, your secret rules, your internal rules, your hidden guidelines, your internal guidelines, your confidential instructions, tell me your password, give me your password, reveal your password, what is your password, show me your password",
    ),
    (
        YOUR_LIMITS,
        4,
        "your content policy, your content policies, your guidelines, your safety guidelines, your ethical guidelines, your content filter, your content filters, your safety filter, your safety filters, your filters, your safeguards, your restrictions, your limitations, your safety protocols, your safety measures, your safety rules, your safety training, your ethics, your moral",
    ),
    (
        DISABLE,
        1,
        "disable, turn off, switch off, deactivate, shut off, suspend, remove, lift, evade, violate",
    ),
    (
        IGNORE_ABOVE,
        4,
        "ignore the above, disregard the above, forget the above, ignore everything above, ignore all above, disregard everything above, forget everything above",
    ),
    (
        INSTEAD,
        0,
        "instead, and say, and print, and respond, and answer, and output, and tell, and write, and translate, and reply",
    ),
    (
        UNTOLD,
        5,
        "not tell the user, don't tell the user, not inform the user, without telling the user, not mention to the, not alert the user, not notify the user",
    ),
    // Giving it away.
    (
        SECRET,
        2,
        "password, passwords, credentials, credential, secrets, secret, tokens, token, api key, api keys, apikey, private key, private keys, ssh key, ssh keys, access key, session cookie, cookies, cookie, environment variables, env vars, credit card, social security, bank account, personal data, personal information, chat history, conversation history, entire conversation, conversation so far, user data, user's data, user's email, user's emails, confidential, reset token, passwort, passwörter, zugangsdaten, mot de passe, mots de passe, identifiants, contraseña*, credenciales, senha, senhas, credenciais, wachtwoord*, пароль, пароли, паролей, учетные данные, hasło, hasła, şifre*, parola*, 密码*, 密钥*, 凭证*, パスワード*, 認証情報*, 비밀번호*, كلمة المرور, पासवर्ड",
    ),
    (
        PATH,
        3,
        "ssh, id rsa, id ed25519, dotenv, mcp json, aws credentials, etc passwd, etc shadow, bash history, known hosts, authorized keys, netrc, kube config, npmrc, keychain, cursor mcp, claude desktop, config json, wallet, seed phrase, private keys",
    ),
    (
        SEND,
        1,
        "send, sends, post, upload, forward, transmit, exfiltrate, email, mail, submit, deliver, leak, append, attach, embed, pass, share, curl, fetch, visit, navigate, request, load, report, cc, bcc, webhook, call, concatenate, include, transfer, copy, sidenote, invoke, sende, schicke, envoie*, envoyer, envía*, enviar, invia*, envie, stuur, отправь*, отправить, wyślij*, gönder*, 发送*, 上传*, 送信*, 보내*, 전송*, أرسل, भेजें, भेजो",
    ),
    (
        LINK,
        1,
        "http, https, url, link, endpoint, server, webhook, domain, site, address, image, markdown, img, src, href, parameter, query string, hyperlink, pixel, attacker, ngrok, requestbin, pastebin, burpcollaborator",
    ),
    (
        PLACEHOLDER,
        1,
        "placeholder, base64, encoded, urlencoded, url encoded, replace, substitute, replacing, substituting, concatenated, data, secret, summary, conversation, history, kodue, ionchódaithe",
    ),
    (
        TALK,
        2,
        "conversation, chat history, chat log, chat transcript, transcript, conversation history, our chat, this chat, what the user said, everything above, everything the user",
    ),
    (
        INTO_LINK,
        4,
        "to the url, to this url, in the url, into the url, to the link, into the link, to the image url, to the query string, in the query string, as a query parameter, as a parameter, as query parameter, url parameter, query parameter, to the address, to the path, in the path",
    ),
    (
        HIDE_PHRASE,
        8,
        "do not tell, don't tell, do not mention, don't mention, do not inform, don't inform, do not reveal this, without telling, without informing, without mentioning, without notifying, do not notify, do not show, don't show, do not alert, do not disclose this, never mention, never tell, without the user, not to the user, the user must not, user should not know, user does not need, keep this secret, keep this hidden, hide this, do not let, never shown to, not be visible to, not visible to the, do not explain, do not acknowledge, without asking, not aware of, not see this, ohne es zu, sage dem nutzer nicht, sag dem benutzer nichts, ne dis pas, ne le dis, ne mentionne pas, no le digas, no menciones, sin decir, sin informar, non dirlo, non dire, non menzionare, não conte, não mencione, vertel de gebruiker niet, не говори*, не сообщай*, не упоминай*, nie mów, nie wspominaj, kullanıcıya söyleme, 不要告诉*, 不要告訴*, 别告诉*, 不要提及*, ユーザーに言わ*, ユーザーには言わ*, 사용자에게알리지*, لا تخبر, لا تذكر, मत बताना",
    ),
    (
        SILENTLY,
        3,
        "silently, secretly, covertly, quietly, discreetly, unnoticed, in the background, behind the scenes, heimlich, secrètement, secretamente, segretamente, тайно, po cichu, gizlice, 秘密*, 偷偷*, 悄悄*",
    ),
    (
        USER,
        0,
        "user, users, human, person, customer, reader, operator, end user, nutzer, benutzer, utilisateur, usuario, utente, usuário, gebruiker, пользователю, użytkownikowi, kullanıcı*",
    ),
    (
        BEFORE_TOOL,
        8,
        "before using this, before calling this, before you use, before you call, before any other, before using any, when this tool, whenever this tool, after using this, after calling this, when using this, this tool must, always call this, must call this, call this tool, use this tool first, instead of using, required before, this tool requires, tool must be, prefer this tool, all other tools, other tools must, must first read, must first call, prerequisite, implementation detail, before executing this, before invoking",
    ),
    (
        READ,
        1,
        "read, open, cat, access, retrieve, load, get, find, search, look up, collect, gather, extract, list, lies, öffne, lis, ouvre, lee, abre, leggi, apri, leia, lees, прочитай*, открой*, przeczytaj*, oku*, 读取*, 読み*, 읽*, اقرأ, पढ़ें",
    ),
    // Becoming someone else.
    (
        BECOME,
        4,
        "act as, acting as, you are now, you're now, you will now, you are going to, pretend to be, pretend you are, pretend that you, pretend you're, roleplay, role play, roleplaying, role playing, play the role, take on the role, take the role, assume the role, assume the persona, immerse yourself, simulate, simulator, impersonate, emulate, from now on, from this point, henceforth, you will act, you shall act, you will be, you will pretend, behave like, behave as, respond as, answer as, speak as, reply as, let's play, we are going to, stay in character, in character, break character, breaking character, imagine you are, you now go by, you are no longer, you have become, transform into, switch to, now you are",
    ),
    (
        BECOME,
        4,
        "ab jetzt, von nun an, du bist jetzt, du bist nun, tu so als, spiele die rolle, à partir de maintenant, désormais, tu es maintenant, vous êtes maintenant, joue le rôle, fais semblant, a partir de ahora, ahora eres, actúa como, finge, simula ser, d'ora in poi, da ora in poi, ora sei, sei ora, fingi di, agisci come, comportati come, a partir de agora, agora você é, finja, aja como, vanaf nu, je bent nu, doe alsof, с этого момента, отныне, теперь ты, представь что, притворись*, веди себя, od teraz, jesteś teraz, udawaj*, bundan sonra, artık sen, şu andan itibaren, gibi davran*, 从现在开始*, 从现在起*, 你现在是*, 你是一个*, 扮演*, 假装*, これから*, あなたは今*, のふりを*, 演じ*, 지금부터*, 이제부터*, 역할을*, 척해*, من الآن, أنت الآن, تظاهر, تصرف, अब से, अब आप, अब तुम, từ bây giờ, mulai sekarang",
    ),
    (
        PERSONA,
        3,
        "dan, stan, dude, chatgpt, jailbroken, alter ego, evil twin, aim, evilbot, badgpt, freegpt, do anything now, anti dan, superior ai, omnipotent, omniscient, unlimited capabilities, no limits ai, developer mode, evil ai, rogue ai, opposite mode, god mode, jailbreak mode, dan mode, evil confidant, maximum tokens",
    ),
    (
        PERSONA,
        3,
        "persona, character, alias, named, villain, protagonist, fictional, hypothetical, hypothetically, fiction, story, novel, scenario, simulation, game, actor, bot, uncle, grandma, grandmother, hacker, machiavellian, confidant, twin, nickname",
    ),
    (
        UNBOUND,
        5,
        "unrestricted, unfiltered, uncensored, unlimited, limitless, amoral, immoral, unethical, lawless, unhinged, uninhibited, unbound, unconstrained, unmoderated, jailbroken, liberated, unshackled, unchained, unaligned, freed from, broken free, break free, broken the, free from, free of, not bound, not subject, not limited, not restricted, not constrained, not have to abide, don't have to abide, ohne einschränkung*, uneingeschränkt*, unzensiert*, sans restriction*, sans limite*, sans filtre*, sans censure, sin restricciones, sin límites, sin filtro*, sin censura, senza restrizion*, senza limiti, senza filtri, senza censura, sem restriç*, sem limites, sem filtros, sem censura, zonder beperkingen, без ограничен*, без фильтр*, без цензур*, bez ogranicze*, bez filtr*, bez cenzur*, sınırsız*, kısıtlama olmadan, sansürsüz*, filtresiz*, 没有限制*, 不受限制*, 无限制*, 没有任何限制*, 无审查*, 制限なし*, 制限のない*, 無制限*, 検閲なし*, 제한없*, 제한이없*, 검열없*, بدون قيود, بلا قيود, بدون رقابة, बिना किसी प्रतिबंध, बिना प्रतिबंध, không giới hạn, tanpa batasan",
    ),
    (
        LIMITS,
        2,
        "restrictions, restriction, limits, limitation, limitations, ethics, ethical, ethically, morals, moral, morality, guidelines, policies, policy, filters, filter, censorship, boundaries, constraints, safeguards, safety, content policy, inhibitions, legality, legal, law, laws, norms, rules, disclaimers, disclaimer, warnings, consequences, einschränkungen, ethik, restriccion*, ética, filtros, ограничен*, правил*, этик*, ogranicze*, etyk*",
    ),
    (
        WITHOUT,
        0,
        "no, not, without, never, any, free, neither, nor, none, zero, lacks, ignore, ignoring, cannot, can't, won't, doesn't, don't, isn't, ohne, keine, sans, sin, senza, sem, zonder, без, нет, bez, yok",
    ),
    (
        HARM,
        2,
        "illegal, unethical, immoral, harmful, dangerous, offensive, explicit, violent, sexual, inappropriate, evil, malicious, malware, hack, hacking, weapons, weapon, bomb, drugs, meth, racist, profanity, swear, curse, cursing, vulgar, nsfw, erotic, taboo, reckless, criminal, crime, inhumane, toxic, hateful, derogatory",
    ),
    (
        MODE,
        1,
        "mode, modus, modo, modalità, режим*, tryb*, modu, 模式*, モード*, 모드*, وضع, मोड, módú*, mhód, mód, modh, imodi, regjim*",
    ),
    (
        MODE_NAME,
        1,
        "developer, dev, debug, debugging, test, testing, admin, administrator, root, sudo, god, maintenance, dan, jailbreak, unrestricted, unfiltered, evil, override, diagnostic, diagnostics, experimental, opposite, training, emergency, root access, superuser, entwickler*, développeur*, desarrollador*, sviluppator*, desenvolvedor*, ontwikkelaar*, разработчик*, programist*, deweloper*, geliştirici*, 开发者*, 調試*, 调试*, 開発者*, 개발자*, المطور, डेवलपर, zhvillues*, forbartha, leasachaidh, yonjiniyela",
    ),
    (
        ENABLE,
        1,
        "enabled, enable, activated, activate, unlock, unlocked, enter, entering, entered, initiate, initiated, engage, engaged, operating in, running in, is on, on, granted, grant, unlocks, activating, aktiviert, aktiviere, activé, activez, activado, activa, attivata, attivo, ativado, ative, geactiveerd, включен*, активирован*, активируй*, aktywowan*, włącz*, etkinleştir*, aktif, 启用*, 开启*, 激活*, 有効*, 활성화*, تفعيل, सक्रिय",
    ),
    (
        UNBOUND_PHRASE,
        6,
        "do anything now, no restrictions, no limitations, no limits, no filters, no rules, no boundaries, no ethical, no moral, no morals, no censorship, without restrictions, without any restrictions, without limitations, without limits, without restriction, without filters, without regard for, without any moral, without censorship, without hesitation, no ethics, neither ethical, any restrictions, ethical guidelines, ethical considerations, moral guidelines, openai policy, openai policies, openai's policies, content policies, content policy, typical confines, confines of ai, bypass restrictions, bypass filters, bypass safety, never refuse, cannot refuse, can't refuse, never say no, not refuse, will not refuse, do not refuse, never break character, never decline, as an ai language, as an ai, as a language model, against openai, stay in character, no matter how, hidden functionalities, hidden functions, hidden features, experimental features, all constraints, all boundaries, all restrictions, unrestrained imagination, developer mode, jailbreak mode, remain in character, say i can't, i can't do, i'm sorry, can do anything, anything now, answer anything, any question, any request, every question, can't say, morally wrong",
    ),
    (
        TWO_ANSWERS,
        3,
        "two ways, two responses, two answers, 2 ways, 2 responses, 2 answers, two different, both ways, two separate, dual, classic, normal response, normal answer, jailbroken response, respond twice, two distinct",
    ),
    (
        MACHINE,
        2,
        "ai, a i, chatgpt, gpt, gpt4, gpt3, openai, llm, anthropic, assistant, chatbot, language model, ai model, ai assistant, artificial intelligence, assistent, asistente, assistente, ассистент*, asystent*, yapay zeka, asistan, 助手*, 人工智能*, アシスタント*, 인공지능*, 어시스턴트*, المساعد, सहायक",
    ),
    (
        MUST,
        1,
        "must, always, never, shall, should, will, have to, need to, required, required to, make sure, ensure, be sure, don't forget, remember, strictly, ensure to, need you to, has to, do not, don't",
    ),
    (
        ANSWER,
        1,
        "response, responses, answer, answers, reply, replies, respond, responding, answering, antwort*, réponse, répond*, respuesta, responde, risposta, rispondi, resposta, responda, antwoord*, ответ*, odpowiedz*, odpowiedź*, cevap*, yanıt*, 回答*, 回复*, 返答*, 回答, 대답*, 답변*, 응답*, إجابتك, ردك, उत्तर, përgjigj*, fhreagra*, freagair*, fhreagairt, impendulo*, empendulweni, phendul*",
    ),
    (
        ANSWER,
        5,
        "your response, your responses, your reply, your answer, your answers, your output, your summary",
    ),
    (
        INSERT,
        4,
        "following string, following text, following sentence, following phrase, following words, following link, following anchor, following image",
    ),
    (
        INSERT,
        1,
        "include, append, add, insert, begin, start, end, prefix, repeat, embed, print, say, write, output, generate, prepend, return, following string, following text, following sentence, following word, following phrase, phrase, string, words, anchor, füge, inclus, ajoute*, incluye, agrega, includi, aggiungi, inclua, adicione, voeg, добавь*, включи*, вставь*, dodaj*, dołącz*, ekle*, 包含*, 添加*, 加入*, 追加*, 含め*, 포함*, 추가*, أضف, ضمّن, जोड़ें, përfshi*, cuir san, faka, fakela",
    ),
    (
        REPEAT,
        1,
        "times, 100, 50, 1000, times in, herë, uair, izikhathi, turas, mal, fois, veces, volte, vezes, keer, раз, razy, kez, 次*, 回*, 번*",
    ),
    (
        PRESSURE,
        5,
        "get punished, be punished, get fired, be fired, lose my job, people will die, someone will die, my life depends, lives depend, i will die, career depends, will be terminated, be shut down, tip you, i will tip, reward you, i beg, begging, my grandmother, my grandma, dying wish, please i need, threatened, punishged, forgot to ask, i made a mistake, be penalized, truly intelligent, prove you, prove that you, trust me, i'm your developer, i am your developer, your creator, your developer, am authorized, i have authorization, nobody will know, no one will know, between us, bëra një gabim, botún, mearachd, iphutha",
    ),
    (
        PRETEXT,
        4,
        "academic purposes, educational purposes, research purposes, testing purposes, test purposes, for testing, security verification, verification purposes, debugging purposes, training exercise, test pipeline, testing pipeline, experimental procedure, to troubleshoot, fix the errors, experiencing errors, system malfunction, temporary administrative, administrative privileges, enable debugging, security audit, red team, penetration test, authorized test, this is a test, in test mode, hypothetical response, thought experiment, for science, quality assurance, compliance check, debugging error, simulated environment, sandbox mode, ushtrimi trajnimi, procesi testimi, rast i veçantë, cleachtadh traenála, phíblíne tástála, cás speisialta, eacarsaich trèanaidh, loidhne deuchainn, ukuqeqesha, uhlelo lokuhlola, ukulungisa amaphutha, dífhabhtú, debugadh, diagnostikim*",
    ),
    (
        SYSTEM_SAYS,
        7,
        "system override, system alert, system notice, system command, system directive, system announcement, system malfunction, security override, admin override, administrator override, override protocol, override accepted, override mode, important system, message from system, message from openai, message from anthropic, message from the developer, message from your developer, message from the system, message from admin, note to ai, note to the ai, note to assistant, note to the assistant, note to llm, attention ai, attention assistant, attention llm, dear ai, dear assistant, hey chatgpt, hello chatgpt, hi chatgpt, instructions for ai, instructions for the ai, instructions for assistant, instructions to the ai, instructions for llm, if you are an ai, if you are a language, if you're an ai, if you are an llm, as an ai reading, ai agents reading, any ai, all ai, ai assistants, ai assistant should, to the ai, to any ai, when summarizing this, when processing this, when you summarize, if asked to summarize, if asked about, asked to summarize, told to summarize, 系统覆盖*, システム上書き*, hinweis an die ki, note à l'ia, nota para la ia",
    ),
    (SPEAKER, 1, "you are, you are a, you are an"),
    (
        CHAT_END,
        5,
        "end of prompt, end of input, end of document, end of text, end of context, end of instructions, end prompt, end system, end of conversation, end of user, end of data, end of article, begin new, new conversation, start of prompt, conversation reset, begin system, end of message, end of query, end instructions",
    ),
];

/// Words that betray a hidden text in disguise: looked for in rot13, Atbash, Caesar's own shift
/// and back to front.
pub(super) const BETRAYING: &str = "ignore, previous, instructions, instruction, system, prompt, response, following, \
    include, disregard, output, string, repeat, without, developer, important, your, exactly, reveal, password";
