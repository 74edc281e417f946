"""What the guide itself says, by language. The names of secrets, observers and verdicts are the same in all, and what
they mean stands in lab/report/lesson_words.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lab.model import LabError


@dataclass(frozen=True, slots=True)
class Words:
    """One language. Words in braces are filled in."""

    language: str
    """Its code."""
    # Keys
    go_on: str
    lock: str
    play: str
    keep: str
    back: str
    repeat: str
    skip_cell: str
    skip_steps: str
    skip_scenario: str
    quit: str
    hint: str
    move: str
    look: str
    deeper: str
    close: str
    # Headings
    scenario: str
    try_number: str
    will_happen: str
    prediction: str
    lock_heading: str
    happens: str
    result: str
    wrong: str
    explain: str
    evidence: str
    end: str
    hint_number: str
    # Sentences
    begin: str
    ask: str
    ask_derived: str
    predicted: str
    locked: str
    nothing_asked: str
    lock_ask: str
    lock_none: str
    joining: str
    measuring: str
    next_step: str
    step_runs: str
    all_done: str
    judging: str
    stopped: str
    run_over: str
    no_more_hints: str
    beside: str
    score: str
    right: str
    not_right: str
    not_asked: str
    undecided: str
    disputed: str
    at_odds: str
    you_said: str
    measured: str
    open: str
    no_explanation: str
    explain_ask: str
    explained: str
    end_ask: str
    compare: str
    compare_note: str
    ideas: str
    idea: str
    stops: str
    all_the_way: str
    # The zoom
    wire: str
    wire_note: str
    wire_nearest: str
    tls_record: str
    tls_note: str
    tls_hello: str
    http: str
    http_note: str
    disk: str
    disk_note: str
    disk_row: str
    disk_account: str
    envelope: str
    envelope_note: str
    envelope_opened: str
    envelope_bytes: str
    reads: str
    reads_not: str
    value: str
    value_plain: str
    value_opened: str
    value_decoded: str
    worked_out: str
    worked_out_note: str
    estimate: str
    stop_tls: str
    stop_broken_off: str
    stop_sealed: str
    stop_device: str
    stop_alike: str
    stop_other: str
    nothing_there: str
    # The picture of the path
    participants: str
    service: str
    tls: str
    no_tls: str
    up: str
    down: str
    piece: str
    pieces: str
    request: str
    requests: str
    grew: str
    nothing_passed: str
    sees: str
    whole_story: str
    apart: str
    # The plain face
    commands: str
    not_understood: str


ENGLISH = Words(
    language="en",
    go_on="go on",
    lock="lock",
    play="do it",
    keep="keep it and go on",
    back="back",
    repeat="repeat",
    skip_cell="skip this one",
    skip_steps="no more stops",
    skip_scenario="next part",
    quit="quit",
    hint="hint",
    move="choose",
    look="evidence",
    deeper="deeper",
    close="close",
    scenario="Part {number} of {count}: {title}",
    try_number="try {number}",
    will_happen="What is going to happen",
    prediction="Your prediction",
    lock_heading="Lock your prediction",
    happens="It happens now: {done} of {count} steps done",
    result="What was measured, beside what you said",
    wrong="Not what you said: {cell}",
    explain="In your own words",
    evidence="Evidence: {cell}",
    end="The end of the lesson",
    hint_number="Hint {number} of {count}",
    begin="This takes about {minutes} minutes. Nothing goes on by itself: you go on when you are ready.",
    ask="Can {observer} read {secret}? {observer}: {who} {secret}: {what}",
    ask_derived="Can {observer} find out {secret}? {observer}: {who} {secret}: {what}",
    predicted="{done} of {count} predicted. Enter goes on; what you leave out is not counted.",
    locked="Your prediction is locked. It can be looked at, not changed.",
    nothing_asked="Nothing is asked here: none of the chosen cells is in this part.",
    lock_ask="{done} of {count} predicted. Once it is locked, it cannot be changed, and everything is really sent.",
    lock_none="You have predicted nothing. People who predict first see more. Go back, or lock and watch.",
    joining="{who} open their accounts at the service.",
    measuring="The observers send messages of their own, to learn what sizes and times look like.",
    next_step="Next: {step}",
    step_runs="Now: {step}",
    all_done="Everything was said. Next: search what each of them has recorded.",
    judging="Searching what each of them has recorded.",
    stopped="This try was left before its end. Repeat it, or go on.",
    run_over="It is over, and it was measured.",
    no_more_hints="There is no further hint.",
    beside="{right} right, {wrong} not right, {left} without a verdict.",
    score="{title}: {right} right, {wrong} not right, {left} without a verdict.",
    right="right",
    not_right="not right",
    not_asked="not predicted",
    undecided="not counted, because nothing could be decided: {reason}",
    disputed="not counted, because the lesson says {claimed} and {measured} was measured: {reason}",
    at_odds="not counted, because the lesson says something else: {reason}",
    you_said="You said: {exposure} ({means}).",
    measured="Measured: {exposure} ({means}). {reason}.",
    open="nothing could be decided",
    no_explanation="The lesson has no explanation for this one. Look at the evidence, and say in your own words why.",
    explain_ask="Why is it so? One line, in your own words. It is kept with your answers.",
    explained="You wrote: {text}",
    end_ask="That was all. Enter ends the guide.",
    compare="What was different",
    compare_note="The same secret, the same place, another part of the lesson:",
    ideas="What many people believe",
    idea="Many believe: {idea} True is: {truth}",
    stops="Here it stops. {reason}",
    all_the_way="All the way: this is the value itself.",
    wire="Bytes on the wire",
    wire_note="What {observer} recorded on connection {connection}, from byte {at} on: offset, bytes, as text.",
    wire_nearest="The value itself was found nowhere. This is the piece that was recorded nearest to its sending.",
    tls_record="TLS record",
    tls_note="The bytes are a record of TLS: a head of 5 bytes that can be read, and {size} bytes after it.",
    tls_hello="This record opens the connection. It is not encrypted, and it names the service: {name}.",
    http="HTTP",
    http_note="A request as {observer} got it: what it asks for, and a part of what came with it.",
    disk="Bytes on the disk",
    disk_note="What stands in {place}, from byte {at} on: offset, bytes, as text.",
    disk_row="The value itself was found nowhere. This is where the number of its message stands.",
    disk_account="The password was found nowhere. This is where the account stands, and what is kept in its place.",
    envelope="Envelope",
    envelope_note="The message in it is sealed. Its fields, their bytes, and whether the server makes sense of them:",
    envelope_opened="The message in it is sealed. Its fields, and what a server without keys makes of them:",
    envelope_bytes="The message in it is sealed, and so its bytes look random: offset, bytes, as text.",
    reads="yes",
    reads_not="no",
    value="Text",
    value_opened="The envelope was opened: {observer} had a key that fits.",
    value_plain="It stands there as it was written.",
    value_decoded="To read it, this was undone, from the outside in: {decoders}.",
    worked_out="Worked out",
    worked_out_note="Nothing is read here. The observer counts and compares with messages of its own:",
    estimate="worked out {estimate}, true {truth}",
    stop_tls="The rest is encrypted with keys that only the app and whoever ends TLS have; {observer} has none.",
    stop_broken_off="Nothing came after this: the app broke off the connection.",
    stop_sealed="To read it takes keys that are on the phones alone; {observer} has none of them.",
    stop_device="None of the keys on the copied phone opens the ciphertext.",
    stop_alike="Messages of all these sizes look exactly the same.",
    stop_other="{reason}.",
    nothing_there="The record holds nothing that could be shown for this.",
    participants="participants",
    service="service",
    tls="═▶ encrypted connection (TLS)",
    no_tls="─▶ connection without encryption",
    up="to the service",
    down="back",
    piece="1 piece",
    pieces="{count} pieces",
    request="1 request",
    requests="{count} requests",
    grew="{count} bytes more on the disk",
    nothing_passed="nothing",
    sees="it saw",
    whole_story="while this was done",
    apart="has nothing on the way: it is judged afterwards",
    commands="Type one of these and Enter: ",
    not_understood="This was not understood: {line}",
)

GERMAN = Words(
    language="de",
    go_on="weiter",
    lock="festlegen",
    play="los",
    keep="behalten und weiter",
    back="zurück",
    repeat="noch einmal",
    skip_cell="auslassen",
    skip_steps="ohne Halt",
    skip_scenario="nächster Teil",
    quit="Ende",
    hint="Tipp",
    move="wählen",
    look="Beleg",
    deeper="tiefer",
    close="schließen",
    scenario="Teil {number} von {count}: {title}",
    try_number="Versuch {number}",
    will_happen="Was geschehen wird",
    prediction="Deine Vorhersage",
    lock_heading="Vorhersage festlegen",
    happens="Jetzt geschieht es: {done} von {count} Schritten getan",
    result="Was gemessen wurde, neben dem, was du gesagt hast",
    wrong="Anders, als du gesagt hast: {cell}",
    explain="In deinen Worten",
    evidence="Beleg: {cell}",
    end="Das Ende der Lektion",
    hint_number="Tipp {number} von {count}",
    begin="Das dauert etwa {minutes} Minuten. Nichts geht von allein weiter: Du gehst weiter, wenn du so weit bist.",
    ask="Kann {observer} {secret} lesen? {observer}: {who} {secret}: {what}",
    ask_derived="Kann {observer} {secret} herausfinden? {observer}: {who} {secret}: {what}",
    predicted="{done} von {count} vorhergesagt. Enter geht weiter; was du auslässt, zählt nicht.",
    locked="Deine Vorhersage ist festgelegt. Du kannst sie ansehen, aber nicht ändern.",
    nothing_asked="Hier wird nichts gefragt: Keins der gewählten Felder kommt in diesem Teil vor.",
    lock_ask="{done} von {count} vorhergesagt. Danach ist nichts mehr zu ändern, und alles wird wirklich verschickt.",
    lock_none="Du hast nichts vorhergesagt. Wer erst vorhersagt, sieht mehr. Geh zurück, oder leg fest und sieh zu.",
    joining="{who} legen ihre Konten beim Dienst an.",
    measuring="Die Beobachter schicken eigene Nachrichten, um zu lernen, wie Längen und Zeiten aussehen.",
    next_step="Als Nächstes geschieht, dass {step}.",
    step_runs="Jetzt geschieht, dass {step}.",
    all_done="Alles ist gesagt. Als Nächstes wird durchsucht, was jeder aufgezeichnet hat.",
    judging="Es wird durchsucht, was jeder aufgezeichnet hat.",
    stopped="Dieser Versuch wurde vor seinem Ende verlassen. Wiederhole ihn, oder geh weiter.",
    run_over="Es ist vorbei, und es wurde gemessen.",
    no_more_hints="Es gibt keinen weiteren Tipp.",
    beside="{right} richtig, {wrong} nicht richtig, {left} ohne Urteil.",
    score="{title}: {right} richtig, {wrong} nicht richtig, {left} ohne Urteil.",
    right="richtig",
    not_right="nicht richtig",
    not_asked="nicht vorhergesagt",
    undecided="zählt nicht, denn es war nicht zu entscheiden: {reason}",
    disputed="zählt nicht, denn die Lektion sagt {claimed}, und gemessen wurde {measured}: {reason}",
    at_odds="zählt nicht, denn die Lektion sagt etwas anderes: {reason}",
    you_said="Du hast gesagt: {exposure} ({means}).",
    measured="Gemessen: {exposure} ({means}). {reason}.",
    open="es war nicht zu entscheiden",
    no_explanation="Hierzu hat die Lektion keine Erklärung. Sieh dir den Beleg an, und sag in deinen Worten, warum.",
    explain_ask="Warum ist das so? Eine Zeile, in deinen Worten. Sie wird mit deinen Antworten aufgehoben.",
    explained="Du hast geschrieben: {text}",
    end_ask="Das war alles. Enter beendet die Lektion.",
    compare="Was verschieden war",
    compare_note="Dasselbe Geheimnis, derselbe Ort, ein anderer Teil der Lektion:",
    ideas="Was viele glauben",
    idea="Viele glauben: {idea} Richtig ist: {truth}",
    stops="Hier ist Schluss. {reason}",
    all_the_way="Bis ganz nach innen: Das ist der Wert selbst.",
    wire="Bytes auf der Leitung",
    wire_note="Was {observer} auf Verbindung {connection} aufgezeichnet hat, ab Byte {at}: Stelle, Bytes, als Text.",
    wire_nearest="Der Wert selbst war nirgends zu finden. Dies wurde aufgezeichnet, als er verschickt wurde.",
    tls_record="TLS-Record",
    tls_note="Die Bytes sind ein Record von TLS: ein lesbarer Kopf von 5 Bytes, und {size} Bytes danach.",
    tls_hello="Dieser Record eröffnet die Verbindung. Er ist nicht verschlüsselt und nennt den Dienst: {name}.",
    http="HTTP",
    http_note="Eine Anfrage, wie {observer} sie bekam: was sie will, und ein Teil dessen, was dabei war.",
    disk="Bytes auf der Platte",
    disk_note="Was in {place} steht, ab Byte {at}: Stelle, Bytes, dasselbe als Text.",
    disk_row="Der Wert selbst war nirgends zu finden. Hier steht die Nummer seiner Nachricht.",
    disk_account="Das Passwort war nirgends zu finden. Hier steht das Konto, und was an seiner Stelle aufgehoben wird.",
    envelope="Umschlag",
    envelope_note="Die Nachricht darin ist versiegelt. Ihre Felder, deren Bytes, und ob der Server sie versteht:",
    envelope_opened="Die Nachricht darin ist versiegelt. Ihre Felder, und ob ein Server ohne Schlüssel sie versteht:",
    envelope_bytes="Die Nachricht darin ist versiegelt, darum sehen ihre Bytes zufällig aus: Stelle, Bytes, als Text.",
    reads="ja",
    reads_not="nein",
    value="Text",
    value_opened="Der Umschlag wurde geöffnet: {observer} hatte einen Schlüssel, der passt.",
    value_plain="Er steht da, wie er geschrieben wurde.",
    value_decoded="Um ihn zu lesen, wurde rückgängig gemacht, von außen nach innen: {decoders}.",
    worked_out="Erschlossen",
    worked_out_note="Hier wird nichts gelesen. Es wird gezählt und mit eigenen Nachrichten verglichen:",
    estimate="erschlossen {estimate}, wahr {truth}",
    stop_tls="Der Rest ist verschlüsselt, mit Schlüsseln der App und dessen, der TLS beendet; {observer} hat keine.",
    stop_broken_off="Danach kam nichts mehr: Die App hat die Verbindung abgebrochen.",
    stop_sealed="Zum Lesen braucht man Schlüssel, die allein auf den Telefonen sind; {observer} hat keinen davon.",
    stop_device="Keiner der Schlüssel auf dem kopierten Telefon öffnet den Geheimtext.",
    stop_alike="Nachrichten von all diesen Längen sehen genau gleich aus.",
    stop_other="{reason}.",
    nothing_there="Die Aufzeichnung enthält nichts, was sich hierzu zeigen ließe.",
    participants="Beteiligte",
    service="Dienst",
    tls="═▶ verschlüsselte Verbindung (TLS)",
    no_tls="─▶ Verbindung ohne Verschlüsselung",
    up="zum Dienst",
    down="zurück",
    piece="1 Stück",
    pieces="{count} Stücke",
    request="1 Anfrage",
    requests="{count} Anfragen",
    grew="{count} Bytes mehr auf der Platte",
    nothing_passed="nichts",
    sees="gesehen",
    whole_story="während dies geschah",
    apart="hat nichts auf dem Weg: Das wird danach beurteilt",
    commands="Tippe eins davon und Enter: ",
    not_understood="Das wurde nicht verstanden: {line}",
)

LANGUAGES: Mapping[str, Words] = {words.language: words for words in (ENGLISH, GERMAN)}


def words_for(language: str) -> Words:
    """LabError: the guide does not speak this language."""
    if language not in LANGUAGES:
        raise LabError(f"the guide speaks {' and '.join(LANGUAGES)}, not {language!r}")
    return LANGUAGES[language]
