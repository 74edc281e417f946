"""The misconceptions that lessons address: a closed list, with what is true, and with what is known about each.

A lesson names them by their slugs in its `toml` block. Another one is one more entry in `MISCONCEPTIONS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Study:
    """Where a misconception was observed: a reference, and what was found there in one sentence for each language."""

    reference: str
    en: str
    de: str

    def found(self, language: str) -> str:
        """In the language of this code."""
        return self.de if language == "de" else self.en


@dataclass(frozen=True, slots=True)
class Wording:
    """The wrong idea, and what is true: one sentence each."""

    idea: str
    truth: str


@dataclass(frozen=True, slots=True)
class Misconception:
    """One wrong idea in each language, with the studies that observed it; without any, it comes from teaching."""

    en: Wording
    de: Wording
    studies: tuple[Study, ...] = ()

    def wording(self, language: str) -> Wording:
        """In the language of this code."""
        return self.de if language == "de" else self.en


ABU_SALMA_2017 = Study(
    "Abu-Salma et al., IEEE Symposium on Security and Privacy 2017",
    "The vast majority of 60 people interviewed did not understand the idea of end-to-end encryption.",
    "Die große Mehrheit von 60 Befragten verstand nicht, was Ende-zu-Ende-Verschlüsselung ist.",
)
ABU_SALMA_2018 = Study(
    "Abu-Salma et al., USENIX FOCI 2018",
    "Of 125 people asked, three quarters believed that others can read end-to-end encrypted messages; half took SMS "
    "and landline calls to be at least as safe.",
    "Von 125 Befragten glaubten drei Viertel, dass Fremde Ende-zu-Ende-verschlüsselte Nachrichten lesen können; die "
    "Hälfte hielt SMS und Festnetz für mindestens so sicher.",
)
BAI_2020 = Study(
    "Bai et al., EuroUSEC 2020",
    "After a tutorial, 25 people understood more, but some confusion about integrity and authenticity remained.",
    "Nach einer Einführung verstanden 25 Personen mehr; unklar blieb manchen, was vor Änderung und Fälschung schützt.",
)
BAI_2020_LIMITS = Study(
    "Bai et al., EuroUSEC 2020",
    "Among 25 people who were taught about end-to-end encryption, its limits came as a surprise.",
    "Unter 25 Personen, die in Ende-zu-Ende-Verschlüsselung eingeführt wurden, überraschten ihre Grenzen.",
)
BLACK_HAT_2020 = Study(
    "Summary of a talk by Bai and Akgul, Black Hat USA 2020",
    "One participant said that end-to-end encryption protects against the theft of user names and passwords.",
    "Eine befragte Person sagte, Ende-zu-Ende-Verschlüsselung schütze vor dem Diebstahl von Namen und Passwörtern.",
)
GERBER_2018 = Study(
    "Gerber et al., ARES 2018",
    "Some of the people asked thought that messages go from phone to phone, with no service between them.",
    "Manche der Befragten dachten, dass Nachrichten ohne einen Dienst von Telefon zu Telefon gehen.",
)
GOOGLE_2021 = Study(
    "Survey by Google, 2021",
    "Eleven in a hundred people knew what the sign for HTTPS in the address bar means.",
    "Elf von hundert Befragten wussten, was das Zeichen für HTTPS in der Adresszeile bedeutet.",
)
KROMBHOLZ_2019 = Study(
    "Krombholz et al., IEEE Symposium on Security and Privacy 2019",
    "Eighteen users and twelve administrators underestimated significantly what HTTPS does, and many took encryption "
    "for a proof of who is at the other end.",
    "Achtzehn Laien und zwölf Administratoren unterschätzten deutlich, was HTTPS leistet; viele hielten "
    "Verschlüsselung für einen Beweis dafür, wer am anderen Ende ist.",
)
SCHAEWITZ_2021 = Study(
    "Schaewitz et al., EuroUSEC 2021",
    "Comparisons from daily life helped twelve people with confidentiality, but not with authenticity.",
    "Vergleiche aus dem Alltag halfen zwölf Personen, Vertraulichkeit zu verstehen, aber nicht Echtheit.",
)
SCHROEDER_2016 = Study(
    "Schröder et al., EuroUSEC 2016",
    "The majority of the participants failed to compare keys correctly while somebody stood between them.",
    "Die Mehrheit der Teilnehmenden verglich Schlüssel nicht richtig, während jemand zwischen ihnen stand.",
)
SHIRVANIAN_2017 = Study(
    "Shirvanian et al., ACSAC 2017",
    "People often accepted numbers that were not the same, most of all when they compared them from afar.",
    "Oft wurden Nummern angenommen, die nicht gleich waren, vor allem beim Vergleichen aus der Ferne.",
)
SUNSHINE_2009 = Study(
    "Sunshine et al., USENIX Security 2009",
    "Among 100 people in a laboratory, far too many went on in spite of a warning about a certificate.",
    "Von 100 Personen im Labor machten trotz einer Warnung vor einem Zertifikat viel zu viele weiter.",
)
VAZIRIPOUR_2017 = Study(
    "Vaziripour et al., SOUPS 2017",
    "Of 36 pairs, 14 in a hundred made sure whom they talk to; once they were told why, it was 79 in a hundred.",
    "Von 36 Paaren prüften 14 Prozent, mit wem sie sprechen; als man ihnen sagte, wozu, waren es 79 Prozent.",
)

MISCONCEPTIONS: Mapping[str, Misconception] = MappingProxyType(
    {
        "a-changed-safety-number-is-a-nuisance": Misconception(
            en=Wording(
                "When an app says that a safety number has changed, one clicks it away.",
                "A changed number means a new phone, or somebody who stands in between; only asking tells.",
            ),
            de=Wording(
                "Wenn eine App meldet, dass sich eine Sicherheitsnummer geändert hat, klickt man das weg.",
                "Eine neue Nummer bedeutet ein neues Telefon oder jemanden dazwischen; nur Nachfragen klärt das.",
            ),
            studies=(SCHROEDER_2016,),
        ),
        "a-part-of-the-number-is-enough": Misconception(
            en=Wording(
                "To compare the first and the last digits of a safety number is enough.",
                "Whoever tries out many keys finds one whose number looks alike in a few digits.",
            ),
            de=Wording(
                "Es reicht, die ersten und die letzten Ziffern einer Sicherheitsnummer zu vergleichen.",
                "Wer viele Schlüssel ausprobiert, findet einen, dessen Nummer in wenigen Ziffern gleich aussieht.",
            ),
            studies=(SHIRVANIAN_2017,),
        ),
        "a-public-key-needs-no-protection": Misconception(
            en=Wording(
                "A public key is public, so nothing can go wrong with it.",
                "Nobody needs to hide it, but everybody needs to know whose it is.",
            ),
            de=Wording(
                "Ein öffentlicher Schlüssel ist öffentlich, also kann mit ihm nichts schiefgehen.",
                "Niemand muss ihn verstecken, aber alle müssen wissen, wem er gehört.",
            ),
        ),
        "a-root-certificate-is-harmless": Misconception(
            en=Wording(
                "Installing a certificate, as a school or an employer asks for, changes nothing important.",
                "From then on, whoever holds its key can answer in place of any service that the device talks to.",
            ),
            de=Wording(
                "Ein Zertifikat zu installieren, wie Schule oder Firma es verlangen, ändert nichts Wichtiges.",
                "Wer den Schlüssel dazu hat, kann von da an anstelle jedes Dienstes antworten.",
            ),
        ),
        "a-service-with-https-is-always-reached-by-https": Misconception(
            en=Wording(
                "A service that has HTTPS is always reached by HTTPS.",
                "Whoever begins without it can be kept from ever changing to it, unless the app insists.",
            ),
            de=Wording(
                "Ein Dienst mit HTTPS wird immer über HTTPS erreicht.",
                "Wer ohne HTTPS anfängt, kann daran gehindert werden zu wechseln, wenn die App nicht darauf besteht.",
            ),
        ),
        "a-stolen-key-opens-everything": Misconception(
            en=Wording(
                "Whoever steals a key can read all messages, old and new.",
                "That depends on how often keys change: with new keys all the time, old messages stay closed.",
            ),
            de=Wording(
                "Wer einen Schlüssel stiehlt, kann alle Nachrichten lesen, alte und neue.",
                "Das hängt davon ab, wie oft Schlüssel wechseln: Wechseln sie ständig, bleiben alte Nachrichten zu.",
            ),
        ),
        "a-warning-can-be-clicked-away": Misconception(
            en=Wording(
                "A warning about a certificate is a technical fault, and one may go on.",
                "The warning may be the only sign that somebody else is answering.",
            ),
            de=Wording(
                "Eine Warnung vor einem Zertifikat ist ein technischer Fehler, und man kann weitermachen.",
                "Die Warnung ist vielleicht das einzige Zeichen dafür, dass jemand anderes antwortet.",
            ),
            studies=(SUNSHINE_2009,),
        ),
        "all-end-to-end-encryption-is-alike": Misconception(
            en=Wording(
                "End-to-end encryption is the same thing in each app.",
                "Apps differ in how long a key is used, in who checks keys, and in what is encrypted at all.",
            ),
            de=Wording(
                "Ende-zu-Ende-Verschlüsselung ist in jeder App dasselbe.",
                "Apps unterscheiden sich: wie lange ein Schlüssel gilt, wer ihn prüft und was verschlüsselt ist.",
            ),
        ),
        "an-app-that-can-encrypt-always-does": Misconception(
            en=Wording(
                "An app that has end-to-end encryption uses it for each message.",
                "Some apps send a message without it where it is switched off, or where the other side has no keys.",
            ),
            de=Wording(
                "Eine App mit Ende-zu-Ende-Verschlüsselung benutzt sie für jede Nachricht.",
                "Manche Apps senden ohne sie, wo sie ausgeschaltet ist oder die andere Seite keine Schlüssel hat.",
            ),
        ),
        "deleted-means-gone": Misconception(
            en=Wording(
                "A message that was deleted, or has disappeared, is gone.",
                "It is gone from the screens; whoever has recorded or stored it before still has it.",
            ),
            de=Wording(
                "Eine gelöschte oder verschwundene Nachricht ist weg.",
                "Sie ist vom Bildschirm weg; wer sie vorher aufgezeichnet oder gespeichert hat, hat sie noch.",
            ),
        ),
        "dots-hide-the-password": Misconception(
            en=Wording(
                "A password that shows as dots cannot be read by others.",
                "The dots are on the screen; what is sent is the password, and only encryption hides it on the way.",
            ),
            de=Wording(
                "Ein Passwort, das als Punkte erscheint, können andere nicht lesen.",
                "Die Punkte gibt es nur auf dem Bildschirm; gesendet wird das Passwort selbst.",
            ),
        ),
        "encrypted-means-authentic": Misconception(
            en=Wording(
                "If a message is encrypted, it is from the person whose name it bears.",
                "To encrypt shows nothing about who did it; that takes a signature or a key that only two people have.",
            ),
            de=Wording(
                "Wenn eine Nachricht verschlüsselt ist, kommt sie von der Person, deren Name dabeisteht.",
                "Verschlüsseln zeigt nicht, wer es getan hat; dafür braucht es eine Signatur oder einen Schlüssel, "
                "den nur zwei haben.",
            ),
            studies=(KROMBHOLZ_2019, BAI_2020, SCHAEWITZ_2021),
        ),
        "encrypted-means-nobody-can-interfere": Misconception(
            en=Wording(
                "What is encrypted can neither be held back nor delivered twice.",
                "Whoever carries a message can always drop it; the rest has to be noticed by the receiving app.",
            ),
            de=Wording(
                "Was verschlüsselt ist, kann niemand zurückhalten oder zweimal zustellen.",
                "Wer eine Nachricht befördert, kann sie immer wegwerfen; alles andere muss die App am Ziel bemerken.",
            ),
            studies=(BAI_2020,),
        ),
        "encrypted-messages-all-look-alike": Misconception(
            en=Wording(
                "From outside, one encrypted message looks like any other one.",
                "Their lengths show how long the texts are, unless the app fills them up.",
            ),
            de=Wording(
                "Von außen sieht eine verschlüsselte Nachricht aus wie die andere.",
                "An der Länge sieht man, wie lang der Text ist, außer die App füllt ihn auf.",
            ),
        ),
        "end-to-end-encryption-hides-everything": Misconception(
            en=Wording(
                "With end-to-end encryption, nobody learns anything about a conversation.",
                "Who writes to whom, when and how much stays known to whoever delivers the messages.",
            ),
            de=Wording(
                "Mit Ende-zu-Ende-Verschlüsselung erfährt niemand etwas über ein Gespräch.",
                "Wer wem wann und wie viel schreibt, weiß weiterhin, wer die Nachrichten zustellt.",
            ),
            studies=(BAI_2020_LIMITS,),
        ),
        "end-to-end-encryption-is-useless": Misconception(
            en=Wording(
                "Experts and authorities can read end-to-end encrypted messages anyway.",
                "On the way and at the service, nobody has the keys; one has to get at a device instead.",
            ),
            de=Wording(
                "Fachleute und Behörden können Ende-zu-Ende-verschlüsselte Nachrichten sowieso lesen.",
                "Unterwegs und beim Dienst hat niemand die Schlüssel; man muss an ein Gerät herankommen.",
            ),
            studies=(ABU_SALMA_2018,),
        ),
        "end-to-end-encryption-needs-no-trust-in-the-service": Misconception(
            en=Wording(
                "With end-to-end encryption, nobody needs to compare keys: the service cannot do anything.",
                "The service hands out the keys; if it hands out its own, it reads along until somebody compares.",
            ),
            de=Wording(
                "Mit Ende-zu-Ende-Verschlüsselung muss niemand Schlüssel vergleichen: Der Dienst kann nichts tun.",
                "Der Dienst gibt die Schlüssel aus; gibt er eigene aus, liest er mit, bis jemand vergleicht.",
            ),
            studies=(VAZIRIPOUR_2017,),
        ),
        "end-to-end-encryption-protects-the-device": Misconception(
            en=Wording(
                "End-to-end encryption also protects what is on the phone.",
                "It ends on the phone, so whoever holds the unlocked phone reads what its owner reads.",
            ),
            de=Wording(
                "Ende-zu-Ende-Verschlüsselung schützt auch, was auf dem Telefon liegt.",
                "Sie endet auf dem Telefon; wer das entsperrte Telefon hat, liest, was die Besitzerin liest.",
            ),
        ),
        "end-to-end-encryption-protects-the-password": Misconception(
            en=Wording(
                "End-to-end encryption also protects the password, the profile and whatever else the app sends.",
                "It covers only what one participant says to another; the rest is for the service, which reads it.",
            ),
            de=Wording(
                "Ende-zu-Ende-Verschlüsselung schützt auch das Passwort, das Profil und was die App sonst noch sendet.",
                "Sie schützt nur, was eine Person der anderen sagt; der Rest ist für den Dienst, und der liest ihn.",
            ),
            studies=(BLACK_HAT_2020,),
        ),
        "https-hides-from-the-service": Misconception(
            en=Wording(
                "With HTTPS, only the recipient can read a message.",
                "HTTPS ends at the service, which gets the text itself and can read and store it.",
            ),
            de=Wording(
                "Mit HTTPS kann nur die Empfängerin eine Nachricht lesen.",
                "HTTPS endet beim Dienst: Er bekommt den Text selbst und kann ihn lesen und speichern.",
            ),
            studies=(ABU_SALMA_2017,),
        ),
        "https-is-no-use": Misconception(
            en=Wording(
                "Whoever knows a bit about computers can read along in the Wi-Fi, HTTPS or not.",
                "On the way, TLS leaves the name of the service, sizes and times, and nothing of the text.",
            ),
            de=Wording(
                "Wer sich auskennt, kann im WLAN mitlesen, ob mit HTTPS oder ohne.",
                "Unterwegs lässt TLS den Namen des Dienstes, Größen und Zeiten übrig, aber nichts vom Text.",
            ),
            studies=(KROMBHOLZ_2019,),
        ),
        "https-means-an-honest-service": Misconception(
            en=Wording(
                "The sign for HTTPS in the address bar says that one can trust the service.",
                "It is about the way to the service; about the service itself it says nothing.",
            ),
            de=Wording(
                "Das Zeichen für HTTPS in der Adresszeile sagt, dass man dem Dienst vertrauen kann.",
                "Es handelt vom Weg zum Dienst; über den Dienst selbst sagt es nichts.",
            ),
            studies=(GOOGLE_2021,),
        ),
        "https-means-nobody-in-between": Misconception(
            en=Wording(
                "If a connection is encrypted, there is nobody between me and the service.",
                "There is an encrypted connection to whoever showed a certificate that the device believes.",
            ),
            de=Wording(
                "Wenn eine Verbindung verschlüsselt ist, steht niemand zwischen mir und dem Dienst.",
                "Verschlüsselt ist die Verbindung zu dem, der ein Zertifikat gezeigt hat, das das Gerät glaubt.",
            ),
            studies=(KROMBHOLZ_2019,),
        ),
        "messages-go-straight-to-the-other-phone": Misconception(
            en=Wording(
                "A message goes from one phone straight to the other.",
                "It goes to the service, which stores it until the other phone fetches it.",
            ),
            de=Wording(
                "Eine Nachricht geht von einem Telefon direkt zum anderen.",
                "Sie geht zum Dienst, und der bewahrt sie auf, bis das andere Telefon sie abholt.",
            ),
            studies=(GERBER_2018,),
        ),
        "reading-along-needs-breaking-in": Misconception(
            en=Wording(
                "To read along in a network, one has to break into something.",
                "What is not encrypted can be written down by everybody whom it passes.",
            ),
            de=Wording(
                "Um in einem Netz mitzulesen, muss man irgendwo einbrechen.",
                "Was nicht verschlüsselt ist, kann jeder mitschreiben, bei dem es vorbeikommt.",
            ),
        ),
        "rsa-is-all-that-a-messenger-needs": Misconception(
            en=Wording(
                "RSA as it stands in a school book is enough for a messenger.",
                "It shows neither who wrote a message nor whether it is new, and one stolen key opens all of them.",
            ),
            de=Wording(
                "RSA, wie es im Schulbuch steht, reicht für einen Messenger.",
                "Es zeigt weder, wer geschrieben hat, noch ob eine Nachricht neu ist, und ein gestohlener Schlüssel "
                "öffnet alle.",
            ),
        ),
        "safety-numbers-are-for-experts": Misconception(
            en=Wording(
                "Comparing safety numbers is for experts.",
                "Anybody can do it who is told why: two people read out digits, or one scans the other's code.",
            ),
            de=Wording(
                "Sicherheitsnummern zu vergleichen ist etwas für Fachleute.",
                "Das kann jeder, der weiß, wozu: Zwei lesen Ziffern vor, oder einer scannt den Code des anderen.",
            ),
            studies=(VAZIRIPOUR_2017, SCHROEDER_2016),
        ),
        "switching-on-encryption-covers-old-messages": Misconception(
            en=Wording(
                "Once encryption is switched on, older messages are protected, too.",
                "What was sent before stays with the service as it was.",
            ),
            de=Wording(
                "Wenn die Verschlüsselung eingeschaltet ist, sind auch ältere Nachrichten geschützt.",
                "Was vorher gesendet wurde, bleibt beim Dienst, wie es war.",
            ),
        ),
        "text-messages-are-at-least-as-safe": Misconception(
            en=Wording(
                "A text message (SMS) is at least as safe as a message in an end-to-end encrypted app.",
                "It is not end-to-end encrypted: the companies that carry it can read and store it.",
            ),
            de=Wording(
                "Eine SMS ist mindestens so sicher wie eine Nachricht in einer Ende-zu-Ende-verschlüsselten App.",
                "Sie ist nicht Ende-zu-Ende-verschlüsselt: Firmen, die sie befördern, können sie lesen und speichern.",
            ),
            studies=(ABU_SALMA_2018,),
        ),
        "the-device-decides-alone-whom-it-trusts": Misconception(
            en=Wording(
                "A device knows by itself which certificates are genuine.",
                "It believes a list that others have put there, and whoever sets up the device can add to that list.",
            ),
            de=Wording(
                "Ein Gerät weiß von selbst, welche Zertifikate echt sind.",
                "Es glaubt einer Liste, die andere angelegt haben; wer das Gerät einrichtet, kann sie verlängern.",
            ),
        ),
        "the-password-opens-old-messages": Misconception(
            en=Wording(
                "Whoever knows the password of an account can read its old messages.",
                "The password opens the account; the keys to end-to-end encrypted messages are on the device.",
            ),
            de=Wording(
                "Wer das Passwort eines Kontos kennt, kann die alten Nachrichten lesen.",
                "Das Passwort öffnet das Konto; die Schlüssel zu verschlüsselten Nachrichten sind im Gerät.",
            ),
        ),
        "who-cannot-read-it-cannot-change-it": Misconception(
            en=Wording(
                "Who cannot read a message cannot change it either.",
                "Without a check at the other end, a bit that is flipped in what is encrypted is flipped in the text.",
            ),
            de=Wording(
                "Wer eine Nachricht nicht lesen kann, kann sie auch nicht ändern.",
                "Ohne Prüfung am anderen Ende ist ein Bit, das im Verschlüsselten kippt, auch im Text gekippt.",
            ),
            studies=(BAI_2020,),
        ),
        "who-was-in-the-group-has-the-key": Misconception(
            en=Wording(
                "Whoever was in a group once has its key and can go on reading.",
                "When somebody leaves, the others agree on new keys, which the one who left does not get.",
            ),
            de=Wording(
                "Wer einmal in einer Gruppe war, hat ihren Schlüssel und kann weiter mitlesen.",
                "Wenn jemand geht, einigen sich die anderen auf neue Schlüssel, die diese Person nicht bekommt.",
            ),
        ),
    }
)
"""By slug, in alphabetical order."""
