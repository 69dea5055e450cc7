//! What tells languages of one script apart: function words, endings, letters.
//!
//! The lists are short on purpose. A clause is judged by what its words have in common, and function words make up about
//! half of running text in every one of these languages.

use super::Language;
use super::Language as L;

/// Function words and the commonest words of reasoning, lower case, without single letters.
pub(super) const WORDS: [(Language, &str); 28] = [
    (
        L::En,
        "the of and to in is that it for was on are as with be at this have from or had by not but what all were when \
         we there can an your which their if do will each about how up out them then she many some so these would other \
         into has more two him see no way could than been who now did get may let my know think wait because since \
         therefore thus hence here its also only just need find should must where while us our me you he they his her \
         first second next same any both does using use means equal equals answer step number check again right correct \
         per total more than after before each every cost costs price day days week weeks month year years hour hours \
         minutes numbers people left many much still same half twice times sold bought gave got makes made takes",
    ),
    (
        L::Es,
        "de la que el en los se del las un por con no una su para es al lo como más pero sus le ya fue este ha sí porque \
         esta son entre está cuando muy sin sobre también me hasta hay donde quien desde todo nos durante todos uno les \
         ni contra otros ese eso ante ellos esto antes algunos qué unos yo otro otras otra él tanto esa estos mucho \
         entonces si cada vamos tenemos podemos debe ser puede así ahora luego tiene primero segundo dos tres número \
         respuesta paso decir",
    ),
    (
        L::Fr,
        "de la le et les des en un du une que est pour qui dans par plus pas au sur ne se ce il sont la avec son mais \
         comme ou si leur être cette ont aux nous sa ses on fait même elle aussi tout bien sans peut tous ces deux \
         entre je vous donc alors ainsi car puis où dont quand encore très notre était avoir cela ici là chaque faut \
         doit soit avons peuvent premier première maintenant trouver nombre réponse étape",
    ),
    (
        L::De,
        "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat \
         dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber vor zur bis \
         mehr durch man sein wurde wenn ich wir also dann daher deshalb weil da hier jetzt kann können müssen muss \
         jeder jede jedes zwei drei erste ersten diese dieser dieses beide zuerst gibt lautet zahl antwort schritt",
    ),
    (
        L::It,
        "di che la il un per in una mi sono ho non ma lo ha le si ti con cosa se io come da ci no questo qui hai sei del \
         tu mio al me era gli della dei nel alla più quando perché anche solo fatto essere questa così ora molto \
         cui delle degli dalla nella sul sulla tra fra quindi allora dunque poi due ogni può deve abbiamo possiamo \
         ancora dove quale quanto prima primo secondo loro suo sua suoi è numero risposta passo",
    ),
    (
        L::Pt,
        "de que não do da em um para com uma os no se na por mais as dos como mas ao ele das seu sua ou quando muito \
         nos já eu também só pelo pela até isso ela entre depois sem mesmo aos seus quem nas me esse eles você essa num \
         nem suas meu às minha numa pelos elas qual nós lhe deles essas esses pelas este dele então cada temos podemos \
         deve ser pode assim agora são está foi tem portanto primeiro segundo dois três número resposta",
    ),
    (
        L::Nl,
        "de en van het een in is dat op te zijn met voor niet aan er om ook als dan maar bij uit nog naar heeft door ze \
         we wat dit zo kan over worden wordt deze hij zij was werd hebben tot of die kunnen moet moeten dus want omdat \
         hier daar nu al wel geen meer veel twee drie elke elk eerste laten zien ons onze hun haar mijn je jij \
         daarom vervolgens getal antwoord stap",
    ),
    (
        L::Sv,
        "och att det som en på är av för med den till inte om ett han har de jag var men sig så från vi hade kan man när \
         då nu här eller ut där vid efter ha hon under också vad över ska skulle måste mycket dessa detta bara alla \
         varje två tre första eftersom därför alltså blir vara mellan mot genom hur vilket oss få finns svar steg",
    ),
    (
        L::Da,
        "og at det er en til af på for som med den de der ikke har jeg et vi var men han om sig fra så kan hun skal \
         efter eller også ved når nu her hvis hvad over ud hvor være være blev bliver meget disse dette kun alle \
         hver to tre første fordi derfor altså mellem mod gennem hvordan hvilket os få findes svar trin går",
    ),
    (
        L::No,
        "og det er en til av på for som med den de ikke har jeg et vi var men han om seg fra så kan hun skal etter eller \
         også ved når nå her hvis hva over ut hvor være ble blir mye disse dette bare alle hver to tre første fordi \
         derfor altså mellom mot gjennom hvordan hvilket oss få finnes svar trinn må går at",
    ),
    (
        L::Fi,
        "ja on ei se että oli hän en mutta ovat kun niin myös tai jos kuin joka sen ole mitä jotka siitä sitä tämä ne \
         me he olla vain nyt sitten koska siis eli kaikki tässä tämän voi voidaan pitää meidän saadaan näin kaksi \
         kolme jokainen ensin ensimmäinen mukaan sekä vielä kanssa jälkeen ennen välillä luku vastaus vaihe",
    ),
    (
        L::Pl,
        "nie to się na jest że do co jak ale po tak za od go czy dla przez tym są jego już tylko jej był może było być \
         lub oraz które który która ich także ponieważ więc zatem aby gdy gdzie jeśli każdy każda dwa dwie trzy teraz \
         mamy możemy musimy należy ma ze przy nad pod przed między bardzo jeszcze tej tego te ten ta pierwszy liczba \
         odpowiedź krok",
    ),
    (
        L::Cs,
        "se na je že to do jsem si jsou ale za by jak tak co po pro od byl jeho již jen jako která který které nebo také \
         protože tedy proto aby když kde pokud každý každá dva dvě tři nyní máme můžeme musíme má ze při nad pod před \
         mezi velmi ještě této toho ten ta první číslo odpověď krok být bude není není jejich bylo až ve",
    ),
    (
        L::Sk,
        "sa na je že to do som si sú ale za by ako tak čo po pre od bol jeho už len ktorá ktorý ktoré alebo tiež \
         pretože teda preto aby keď kde ak každý každá dva dve tri teraz máme môžeme musíme má zo pri nad pod pred \
         medzi veľmi ešte tejto toho ten tá prvý číslo odpoveď krok byť bude nie ich bolo až vo podľa počas iba musí majú boli bola možné ktorej ktorého ktorým iný inú tým tejto ani sme ste",
    ),
    (
        L::Hu,
        "az hogy nem is egy ez és meg de ha csak már van volt mint el kell még ki mert vagy ezt lesz azt itt minden \
         úgy sem be most le lehet így akkor nagyon ami amely aki tehát ezért mivel két három első ahol után előtt \
         között szerint számára legyen vannak tudjuk kapjuk kapunk ennek annak szám válasz lépés",
    ),
    (
        L::Ro,
        "de și în la cu nu pe un din să ce care este mai pentru ca sunt al se că fi au lui dar ar fost prin sau dacă \
         ne îi acest această aceste acesta lor ei ea el noi când unde deci atunci astfel deoarece avem putem trebuie \
         fiecare doi două trei primul prima acum după înainte între foarte încă tot toate numărul răspunsul pas",
    ),
    (
        L::Hr,
        "je da se na su za od što to koji koja koje kao ali ili iz bi sam nije smo samo još kako ako ima do po pri \
         može možemo moramo biti bio bila bilo njegov jer dakle zato kada gdje svaki svaka dva dvije tri sada imamo \
         nad pod pred između vrlo ovo ove ovaj taj te prvi broj odgovor korak treba ćemo već sve također kojih kojoj koji bez tijekom prije nakon samo ovog ove možete više manje ni niti jest će",
    ),
    (
        L::Sl,
        "je da se na so za od kaj to ki kot ali iz bi sem ni smo samo še kako če ima do po pri lahko moramo biti bil \
         bila bilo njegov ker torej zato ko kjer vsak vsaka dva dve tri zdaj imamo nad pod pred med zelo tega te ta \
         prvi število odgovor korak treba bomo že vse tudi pa nato ni bo bodo kjer kadar kateri katera jih ga jo mu naj čez ob ima imajo mora prikaz med več najmanj največ brez tem pri",
    ),
    (
        L::Tr,
        "ve bir bu da de için ile ne çok daha gibi olarak var kadar ama olan sonra en mi o ki ise değil ya her şimdi \
         çünkü böylece bunun bunu eğer veya biz onun tüm iki üç ilk göre yani o halde vardır eder olur olduğunu \
         olduğu şey önce arasında bulmak gerekir elde ederiz sayı cevap adım",
    ),
    (
        L::Vi,
        "và của là có cho không được các một trong với người này để đã những khi từ đến như về cũng ra nhưng sẽ hay nếu \
         thì vì nên do đó tại vào trên chúng ta tôi bạn mỗi hai ba còn phải số rất lại đây nào giữa bằng nhiều hơn \
         đầu tiên bước đáp án vậy theo tính",
    ),
    (
        L::Id,
        "yang dan di dari ini untuk dengan itu tidak dalam pada adalah ke akan juga ada dapat saya kita kami atau oleh \
         sebagai karena bisa jika maka mereka sudah kita telah lebih harus seperti satu dua tiga setiap antara \
         setelah sebelum jadi sehingga agar namun tetapi sekarang pertama bahwa hanya secara jumlah jawaban langkah",
    ),
    (
        L::Tl,
        "ang ng sa na mga ay at ito hindi para siya ko mo ka niya kung ako nang pero may lang isang dahil kaya ba \
         kami tayo natin sila nila ating bawat dalawa tatlo una kapag mula upang kanyang walang naman din rin \
         ngayon pagkatapos bilang sagot hakbang kailangan iyon",
    ),
    (
        L::Sw,
        "na ya wa kwa ni katika za la kuwa hii hiyo cha lakini au kama yake wake huo sisi kila mbili tatu kwanza \
         sasa kwamba ili baada kabla kati tu pia hivyo basi hapa hapo sana zaidi vya zote wote tuna ana jibu hatua \
         idadi tunaweza lazima",
    ),
    (
        L::Et,
        "ja on ei et see oli ta kui aga ka või siis mis kes oma ning selle seda ma me nad olla saab peab sest nii \
         kõik iga kaks kolm esimene nüüd välja pärast enne vahel meil leiame järelt seega ainult veel väga juba \
         tema arv vastus samm kas saa pole olema mille mida üle üks alates kuni tuleb vaid enam teise antud iga ainult kohta jaoks ole",
    ),
    (
        L::Lv,
        "un ir ka no uz ar par lai bet tas kas kā vai arī pēc pie to viņš tā nav ja tad jo mēs var bija šis šī tāpēc \
         kad kur katrs katra divi trīs pirmais tagad mums jābūt starp pirms ļoti vēl tikai visi skaits atbilde solis",
    ),
    (
        L::Lt,
        "ir kad yra į iš su tai bet kaip ne jis už tik dar nuo jau ar bei jei tada nes mes gali buvo šis ši todėl kur \
         kiekvienas du trys pirmas dabar turime turi tarp prieš labai visi po per arba jie ji jų mūsų skaičius \
         atsakymas žingsnis",
    ),
    (
        L::Ca,
        "de la que el en els les un per amb no una del és al com més però seu sa va ha són entre està quan molt sense \
         sobre també fins hi on aquest aquesta aquests perquè llavors doncs així tenim podem hem cada dos tres primer \
         ara després abans ho li ens què tot tots altres nombre resposta pas \
         pot ser mentre quin seves cap dels només encara qualsevol aquestes quina podeu heu estan ni sols",
    ),
    (
        L::Sq,
        "dhe të në një për është me nga që se ka nuk do si ai ajo kjo ky por ose janë kur ku më edhe pas para çdo dy \
         tre parë tani kemi duhet mund sepse prandaj atëherë pra midis shumë vetëm ne tyre tij saj numri përgjigja hapi",
    ),
];

/// Endings that are common in a language and rare in the others, for words of five letters and more.
pub(super) const ENDINGS: [(Language, &str); 24] = [
    (
        L::En,
        "ing tion ness ment ould ally edly ight ful less able",
    ),
    (
        L::Es,
        "ción ciones mente dad ados idos ando iendo emos amos ería",
    ),
    (L::Fr, "tion ment eux euse aient ique elle ité aux"),
    (
        L::De,
        "ung ungen lich keit heit isch ische ieren schaft bar",
    ),
    (L::It, "zione zioni mente ità iamo ando endo ella ezza ato"),
    (L::Pt, "ção ções mente dade ando endo amos emos ável inha"),
    (L::Nl, "heid lijk lijke ingen eren tie atie baar"),
    (L::Sv, "ning ingen heten lig liga arna erna ande"),
    (L::Da, "ning ingen heden lig lige erne ende else"),
    (L::No, "ning ingen heten lig lige ene ende else"),
    (L::Fi, "ssa ssä sta stä lla llä ksi een nen mme taan tään"),
    (L::Pl, "ość ości enie anie owy owa ych ymi emy iej ować"),
    (L::Cs, "ost osti ení ání ých ými ého ému eme ovat"),
    (L::Hu, "ság ség ban ben nak nek ból ből hoz hez unk ünk"),
    (L::Ro, "ția ții ului ilor ește ează ăm ător are"),
    (
        L::Tr,
        "ları leri ların lerin mak mek lar ler dır dir ında inde yor",
    ),
    (L::Id, "kan nya lah kah annya"),
    (L::Hr, "ost osti enje anje ova ovi ih ima emo ski"),
    (L::Lt, "imas umas iai ius ojo"),
    (L::Ca, "ció cions ment ats ades ada ixen itzar leu questa"),
    (L::Sl, "ost osti anje enje ega emu ovi ski nje iti ali alo"),
    (L::Sk, "ost osti enie anie ých ého ovať enia ného nej ným"),
    (L::Et, "mine takse misel vad used ide ata sse"),
    (L::Lv, "šana ības ums iem ām ot"),
];

/// Letters that only some of the languages have.
pub(super) const LETTERS: [(&str, &[Language]); 35] = [
    ("ñ", &[L::Es, L::Tl]),
    ("¿¡", &[L::Es]),
    ("ß", &[L::De]),
    ("ä", &[L::De, L::Sv, L::Fi, L::Et, L::Sk]),
    ("ö", &[L::De, L::Sv, L::Fi, L::Et, L::Hu, L::Tr]),
    ("ü", &[L::De, L::Hu, L::Tr, L::Et, L::Es]),
    ("å", &[L::Sv, L::Da, L::No]),
    ("æø", &[L::Da, L::No]),
    ("ã", &[L::Pt, L::Vi]),
    ("õ", &[L::Pt, L::Vi, L::Et]),
    ("ç", &[L::Fr, L::Pt, L::Tr, L::Ca, L::Sq]),
    ("èà", &[L::Fr, L::It, L::Ca, L::Vi]),
    ("ùì", &[L::It, L::Vi]),
    ("ò", &[L::It, L::Ca, L::Vi]),
    ("ê", &[L::Fr, L::Pt, L::Vi]),
    ("ë", &[L::Fr, L::Sq, L::Nl]),
    ("îû", &[L::Fr, L::Ro]),
    ("œï", &[L::Fr, L::Ca]),
    ("ąęłńśźżć", &[L::Pl]),
    ("ęą", &[L::Lt]),
    ("ć", &[L::Hr]),
    ("đ", &[L::Hr, L::Vi]),
    ("čšž", &[L::Cs, L::Sk, L::Hr, L::Sl, L::Lt, L::Lv, L::Et]),
    ("řěů", &[L::Cs]),
    ("ďťň", &[L::Cs, L::Sk]),
    ("ľĺŕô", &[L::Sk]),
    ("őű", &[L::Hu]),
    ("ăâ", &[L::Ro, L::Vi]),
    ("șțşţ", &[L::Ro]),
    ("ğış", &[L::Tr]),
    ("ơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ", &[L::Vi]),
    ("āēīūģķļņ", &[L::Lv]),
    ("ėįųū", &[L::Lt]),
    ("·", &[L::Ca]),
    (
        "óíáéúý",
        &[
            L::Es,
            L::Pt,
            L::Hu,
            L::Cs,
            L::Sk,
            L::Vi,
            L::Ca,
            L::It,
            L::Fr,
            L::Pl,
        ],
    ),
];

/// Latin words that stand in reasoning of any language: functions, units, programming.
pub(super) const NEUTRAL: &str = "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log ln lg exp lim max min sup inf gcd lcm mod det dim \
     ker deg rad arg sgn sqrt frac cdot times pi alpha beta gamma delta theta lambda sigma omega phi \
     km cm mm kg mg ml kb mb gb hz khz mhz ghz kwh px pm am vs etc ie eg qed iff wlog \
     def int str len print true false null none bool float";
