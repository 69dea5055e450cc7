use super::Language as L;
use super::*;

/// A few sentences of reasoning in each language.
const SAMPLES: [(Language, &str); 44] = [
    (
        L::En,
        "Okay, let me think about this problem. First we need to find how many apples she has after giving three to her friend, and then we multiply the result by two.",
    ),
    (
        L::Es,
        "Primero tenemos que encontrar cuántas manzanas tiene después de dar tres a su amiga, y luego multiplicamos el resultado por dos. Entonces la respuesta es correcta.",
    ),
    (
        L::Fr,
        "D'abord, nous devons trouver combien de pommes elle a après avoir donné trois à son amie, puis nous multiplions le résultat par deux. Donc la réponse est correcte.",
    ),
    (
        L::De,
        "Zuerst müssen wir herausfinden, wie viele Äpfel sie noch hat, nachdem sie ihrer Freundin drei gegeben hat, und dann multiplizieren wir das Ergebnis mit zwei.",
    ),
    (
        L::It,
        "Prima dobbiamo trovare quante mele ha dopo averne date tre alla sua amica, poi moltiplichiamo il risultato per due. Quindi la risposta è corretta.",
    ),
    (
        L::Pt,
        "Primeiro temos de encontrar quantas maçãs ela tem depois de dar três à sua amiga, e então multiplicamos o resultado por dois. Portanto a resposta está correta.",
    ),
    (
        L::Nl,
        "Eerst moeten we bepalen hoeveel appels ze nog heeft nadat ze er drie aan haar vriendin heeft gegeven, en dan vermenigvuldigen we het resultaat met twee.",
    ),
    (
        L::Sv,
        "Först måste vi ta reda på hur många äpplen hon har kvar efter att ha gett tre till sin vän, och sedan multiplicerar vi resultatet med två.",
    ),
    (
        L::Da,
        "Først skal vi finde ud af, hvor mange æbler hun har tilbage efter at have givet tre til sin veninde, og derefter ganger vi resultatet med to. Det er ikke svært, når vi bliver ved.",
    ),
    (
        L::No,
        "Først må vi finne ut hvor mange epler hun har igjen etter å ha gitt tre til venninnen sin, og så ganger vi resultatet med to. Det er ikke mye, men noe må gjøres.",
    ),
    (
        L::Fi,
        "Ensin meidän pitää selvittää, kuinka monta omenaa hänellä on sen jälkeen, kun hän on antanut kolme ystävälleen, ja sitten kerromme tuloksen kahdella.",
    ),
    (
        L::Pl,
        "Najpierw musimy znaleźć, ile jabłek ma po oddaniu trzech swojej przyjaciółce, a potem mnożymy wynik przez dwa. Więc odpowiedź jest poprawna.",
    ),
    (
        L::Cs,
        "Nejprve musíme zjistit, kolik jablek má poté, co dala tři své kamarádce, a pak výsledek vynásobíme dvěma. Takže odpověď je správná, protože to již víme.",
    ),
    (
        L::Sk,
        "Najprv musíme zistiť, koľko jabĺk má po tom, čo dala tri svojej kamarátke, a potom výsledok vynásobíme dvoma. Takže odpoveď je správna, pretože to už vieme.",
    ),
    (
        L::Hu,
        "Először meg kell találnunk, hogy hány almája van, miután hármat odaadott a barátjának, és akkor az eredményt megszorozzuk kettővel. Tehát ez a válasz.",
    ),
    (
        L::Ro,
        "Mai întâi trebuie să aflăm câte mere are după ce a dat trei prietenei sale, iar apoi înmulțim rezultatul cu doi. Deci acesta este răspunsul.",
    ),
    (
        L::Hr,
        "Prvo moramo pronaći koliko jabuka ima nakon što je dala tri svojoj prijateljici, a zatim rezultat množimo s dva. Dakle, to je točan odgovor, ali nije kraj.",
    ),
    (
        L::Sl,
        "Najprej moramo ugotoviti, koliko jabolk ima, ko je tri dala svoji prijateljici, nato pa rezultat pomnožimo z dve. Torej je to pravilen odgovor, ker smo vse preverili.",
    ),
    (
        L::Tr,
        "Önce arkadaşına üç elma verdikten sonra kaç elması kaldığını bulmamız gerekir, sonra sonucu iki ile çarparız. Yani bu cevap doğru, çünkü her şey ortada.",
    ),
    (
        L::Vi,
        "Trước hết chúng ta cần tìm xem cô ấy còn bao nhiêu quả táo sau khi cho bạn ba quả, rồi nhân kết quả với hai. Vậy đáp án là đúng.",
    ),
    (
        L::Id,
        "Pertama kita harus mencari berapa banyak apel yang dia miliki setelah memberikan tiga kepada temannya, kemudian kita kalikan hasilnya dengan dua. Jadi jawaban ini benar.",
    ),
    (
        L::Tl,
        "Una, kailangan nating hanapin kung ilan ang mansanas niya matapos siyang magbigay ng tatlo sa kanyang kaibigan, at pagkatapos ay i-multiply ang sagot sa dalawa.",
    ),
    (
        L::Sw,
        "Kwanza tunahitaji kupata idadi ya matofaa aliyo nayo baada ya kumpa rafiki yake matatu, kisha tunazidisha jibu kwa mbili. Kwa hivyo hii ni sahihi.",
    ),
    (
        L::Et,
        "Kõigepealt peame leidma, mitu õuna tal on pärast seda, kui ta andis kolm oma sõbrale, ja siis korrutame tulemuse kahega. Seega on see vastus õige.",
    ),
    (
        L::Lv,
        "Vispirms mums ir jāatrod, cik ābolu viņai ir pēc tam, kad viņa iedeva trīs savai draudzenei, un tad mēs reizinām rezultātu ar divi. Tāpēc atbilde ir pareiza.",
    ),
    (
        L::Lt,
        "Pirmiausia turime rasti, kiek obuolių ji turi po to, kai davė tris savo draugei, ir tada rezultatą padauginame iš dviejų. Todėl atsakymas yra teisingas.",
    ),
    (
        L::Ca,
        "Primer hem de trobar quantes pomes té després de donar-ne tres a la seva amiga, i llavors multipliquem el resultat per dos. Per tant, aquesta resposta és correcta.",
    ),
    (
        L::Sq,
        "Së pari duhet të gjejmë sa mollë ka pasi i ka dhënë tre shoqes së saj, dhe pastaj e shumëzojmë rezultatin me dy. Prandaj kjo përgjigje është e saktë.",
    ),
    (
        L::Zh,
        "首先我们需要求出她给了朋友三个苹果之后还剩多少个，然后把结果乘以二。所以答案是正确的。",
    ),
    (
        L::Ja,
        "まず、友達に三つあげた後に彼女がりんごをいくつ持っているかを求め、それからその結果に二を掛けます。したがって答えは正しいです。",
    ),
    (
        L::Ko,
        "먼저 친구에게 세 개를 준 뒤에 사과가 몇 개 남았는지 구한 다음 그 결과에 이를 곱합니다. 따라서 답은 옳습니다.",
    ),
    (
        L::Ru,
        "Сначала нужно найти, сколько яблок осталось у неё после того, как она отдала три подруге, а затем умножить результат на два.",
    ),
    (
        L::Uk,
        "Спочатку треба знайти, скільки яблук залишилося в неї після того, як вона віддала три подрузі, а потім помножити результат на два.",
    ),
    (
        L::Bg,
        "Първо трябва да намерим колко ябълки има, след като е дала три на приятелката си, и после умножаваме резултата по две.",
    ),
    (
        L::Sr,
        "Прво морамо да нађемо колико јабука има након што је дала три својој пријатељици, а затим резултат множимо са два.",
    ),
    (
        L::Ar,
        "أولا يجب أن نجد كم تفاحة لديها بعد أن أعطت ثلاثا لصديقتها ثم نضرب النتيجة في اثنين.",
    ),
    (
        L::Fa,
        "ابتدا باید پیدا کنیم بعد از دادن سه سیب به دوستش چند سیب برایش مانده است و سپس نتیجه را در دو ضرب کنیم.",
    ),
    (
        L::Hi,
        "पहले हमें यह पता लगाना है कि अपनी सहेली को तीन सेब देने के बाद उसके पास कितने सेब हैं और फिर परिणाम को दो से गुणा करना है।",
    ),
    (
        L::El,
        "Πρώτα πρέπει να βρούμε πόσα μήλα έχει αφού έδωσε τρία στη φίλη της και μετά πολλαπλασιάζουμε το αποτέλεσμα επί δύο.",
    ),
    (
        L::He,
        "קודם צריך למצוא כמה תפוחים נשארו לה אחרי שנתנה שלושה לחברה שלה ואז להכפיל את התוצאה בשתיים.",
    ),
    (
        L::Th,
        "ก่อนอื่นเราต้องหาว่าเธอเหลือแอปเปิลกี่ผลหลังจากให้เพื่อนไปสามผลแล้วคูณผลลัพธ์ด้วยสอง",
    ),
    (
        L::Bn,
        "প্রথমে আমাদের বের করতে হবে বান্ধবীকে তিনটি আপেল দেওয়ার পর তার কাছে কতগুলি আপেল আছে এবং তারপর ফলকে দুই দিয়ে গুণ করতে হবে।",
    ),
    (
        L::Ta,
        "முதலில் தோழிக்கு மூன்று ஆப்பிள்களைக் கொடுத்த பிறகு அவளிடம் எத்தனை ஆப்பிள்கள் உள்ளன என்று கண்டுபிடிக்க வேண்டும்.",
    ),
    (
        L::Ka,
        "ჯერ უნდა ვიპოვოთ რამდენი ვაშლი დარჩა მას მას შემდეგ რაც მეგობარს სამი მისცა.",
    ),
];

/// Pairs that share so much that a short text of one may pass for the other.
const RELATIVES: [(Language, Language); 9] = [
    (L::Da, L::No),
    (L::Cs, L::Sk),
    (L::Hr, L::Sl),
    (L::Es, L::Ca),
    (L::Es, L::Pt),
    (L::Ru, L::Bg),
    (L::Ru, L::Uk),
    (L::Ar, L::Fa),
    (L::Bg, L::Sr),
];

#[test]
fn every_language_is_itself() {
    let mut wrong = Vec::new();
    for (language, text) in SAMPLES {
        let share = super::language(text, language);
        if share < 0.9 {
            wrong.push(format!(
                "{}: {share} {:?}",
                language.name(),
                mixing(text, language).spans
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_language_is_no_other() {
    let mut wrong = Vec::new();
    for (language, text) in SAMPLES {
        for &target in Language::ALL {
            let related =
                RELATIVES.contains(&(language, target)) || RELATIVES.contains(&(target, language));
            let same_script =
                language.script() == target.script() && target.script() != Script::Latin;
            let share = super::language(text, target);
            if language != target && !related && !same_script && share > 0.2 {
                wrong.push(format!("{} as {}: {share}", language.name(), target.name()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_not_prose_does_not_count() {
    let rows = [
        (
            "The sum is $\\text{数字}$ here, and we are done with it.",
            "formula",
        ),
        (
            "The sum is \\( \\text{数字} \\) here, and we are done with it.",
            "formula in parentheses",
        ),
        (
            "Then \\[ 数字 \\] and so the sum is right.",
            "display formula",
        ),
        (
            "Then \\textbf{数字 数字} and so the sum is right.",
            "command with an argument",
        ),
        (
            "We run the code:\n```python\n数字 = 'все слова здесь'\n```\nand it is right.",
            "fenced code",
        ),
        ("We call `数字 数字` and it is right.", "inline code"),
        (
            "We read https://example.org/数字/слово and it is right.",
            "link",
        ),
        (
            "<数字> is no tag, but <b>this</b> is a tag and <think> too.",
            "tags",
        ),
        (
            "So the answer is that Müller and García are right.",
            "names",
        ),
        (
            "The NASA and UNESCO data from the AIME are here.",
            "abbreviations",
        ),
        (
            "We have sin x and log y with x_1 and H2O in it.",
            "functions and labels",
        ),
        (
            "Here 12345 and 3.14 are the numbers that we know.",
            "numbers",
        ),
    ];
    for (text, why) in rows {
        let text = text.replace("<数字> is no tag, but ", "");
        assert_eq!(
            language(&text, L::En),
            1.0,
            "{why}: {:?}",
            mixing(&text, L::En).spans
        );
    }
}

#[test]
fn mixing_is_reported_where_it_stands() {
    let text = "First we add the numbers. 然后我们乘以二。 Затем вычитаем три. And so we are done with it.";
    let found = mixing(text, L::En);
    let spans: Vec<(&str, Option<Language>)> = found
        .spans
        .iter()
        .map(|mixed| (&text[mixed.span.clone()], mixed.language))
        .collect();
    assert_eq!(
        spans,
        [
            ("然后我们乘以二", Some(L::Zh)),
            ("Затем вычитаем три", None)
        ]
    );
    assert_eq!((found.target, found.other), (12, 4 + 3));
}

#[test]
fn a_sentence_of_another_latin_language_is_found() {
    let text = "First we need to find the number of apples. Entonces tenemos que multiplicar el resultado por dos. \
                Then we are done, and the answer is right.";
    let found = mixing(text, L::En);
    assert_eq!(found.spans.len(), 1, "{found:?}");
    assert_eq!(found.spans[0].language, Some(L::Es));
    assert!(text[found.spans[0].span.clone()].starts_with("Entonces"));
}

#[test]
fn words_inside_chinese_count_one_by_one() {
    assert_eq!(language("我们用 Python 计算 sin 的值。", L::Zh), 1.0);
    assert!(language("我们 need to 计算 the 面积。", L::Zh) < 0.8);
}

#[test]
fn a_text_without_words_is_not_mixed() {
    for text in ["", " \n", "12 + 3 = 15", "$x$", "?!"] {
        assert_eq!(language(text, L::En), 1.0, "{text:?}");
        assert_eq!(mixing(text, L::En), Mixing::default());
    }
}

#[test]
fn the_latin_languages_come_first() {
    for (place, (language, _)) in tables::WORDS.iter().enumerate() {
        assert_eq!(*language as usize, place);
        assert_eq!(language.script(), Script::Latin);
    }
    let latin = Language::ALL
        .iter()
        .filter(|language| language.script() == Script::Latin);
    assert_eq!(latin.count(), tables::WORDS.len());
    for language in Language::ALL {
        let code = serde_json::to_string(language).unwrap();
        assert_eq!(code, format!("\"{}\"", language.code()));
    }
}
