"""The words of lessons in German. Behind Wenn and Und, the verb of a step stands at its end, as German wants it."""

from __future__ import annotations

from types import MappingProxyType

from lab.scenario.phrases import Language, Part, Phrase, StepKind

_STEPS = (
    Phrase(
        StepKind.SERVE,
        "ein Nachrichtendienst läuft im Modus {mode}",
        "ein Nachrichtendienst läuft im Modus tls",
    ),
    Phrase(
        StepKind.SERVE_WITH,
        "ein Nachrichtendienst läuft im Modus {mode} mit {encryption}",
        "ein Nachrichtendienst läuft im Modus e2ee mit static",
    ),
    Phrase(StepKind.PAD, "Texte werden aufgefüllt", "Texte werden aufgefüllt"),
    Phrase(
        StepKind.INTERCEPTOR,
        "jemand antwortet anstelle des Dienstes mit einem Zertifikat, das {certificate} ist",
        "jemand antwortet anstelle des Dienstes mit einem Zertifikat, das trusted ist",
    ),
    Phrase(StepKind.STRIP_TLS, "ein Angreifer unterwegs entfernt TLS", "ein Angreifer unterwegs entfernt TLS"),
    Phrase(
        StepKind.PINNED,
        "die Apps nehmen nur den mitgelieferten Schlüssel des Dienstes an",
        "die Apps nehmen nur den mitgelieferten Schlüssel des Dienstes an",
    ),
    Phrase(StepKind.UNCHECKED, "die Apps prüfen kein Zertifikat", "die Apps prüfen kein Zertifikat"),
    Phrase(StepKind.HTTP_FIRST, "die Apps fangen mit http an", "die Apps fangen mit http an"),
    Phrase(
        StepKind.REMEMBERED,
        "die Apps haben sich gemerkt, dass der Dienst https will",
        "die Apps haben sich gemerkt, dass der Dienst https will",
    ),
    Phrase(StepKind.FALL_BACK, "die Apps weichen auf Klartext aus", "die Apps weichen auf Klartext aus"),
    Phrase(
        StepKind.ASK,
        "die Apps fragen, bevor sie auf Klartext ausweichen, und alle stimmen zu",
        "die Apps fragen, bevor sie auf Klartext ausweichen, und alle stimmen zu",
    ),
    Phrase(
        StepKind.LOGGED,
        "die Apps prüfen ein öffentliches Logbuch der Schlüssel",
        "die Apps prüfen ein öffentliches Logbuch der Schlüssel",
    ),
    Phrase(
        StepKind.KEEP,
        "die Apps bewahren Nachrichten auf",
        "die Apps bewahren Nachrichten auf",
    ),
    Phrase(
        StepKind.OPT_IN,
        "die Apps verschlüsseln nur die Chats, in denen es jemand eingeschaltet hat",
        "die Apps verschlüsseln nur die Chats, in denen es jemand eingeschaltet hat",
    ),
    Phrase(
        StepKind.TEXT,
        "die Apps schicken eine SMS an alle, die kein Internet haben",
        "die Apps schicken eine SMS an alle, die kein Internet haben",
    ),
    Phrase(
        StepKind.OVERWRITE,
        "der Betreiber überschreibt, was er löscht",
        "der Betreiber überschreibt, was er löscht",
    ),
    Phrase(
        StepKind.BELIEVE,
        "die Apps schreiben an alle, die laut Dienst in der Gruppe sind",
        "die Apps schreiben an alle, die laut Dienst in der Gruppe sind",
    ),
    Phrase(
        StepKind.COMMIT,
        "die Apps legen sich auf das fest, was sie senden",
        "die Apps legen sich auf das fest, was sie senden",
    ),
    Phrase(
        StepKind.ONE_KEY,
        "die Apps behalten einen Schlüssel je verschlüsselter Datei",
        "die Apps behalten einen Schlüssel je verschlüsselter Datei",
    ),
    Phrase(StepKind.PLANT, "gesucht wird nach {secrets}", "gesucht wird nach body, sender und time"),
    Phrase(
        StepKind.SEND_TEXT,
        '{participant} an {participants} "{text}" schickt',
        'alice an bob "Wir treffen uns um fünf" schickt',
    ),
    Phrase(
        StepKind.SEND_PART,
        '{participant} an {participants} den {part}-Text "{text}" schickt',
        'alice an bob den later-Text "Wir treffen uns um sechs" schickt',
    ),
    Phrase(
        StepKind.SEND_FILE,
        '{participant} an {participants} die Datei "{name}" mit dem Inhalt "{text}" schickt',
        'alice an bob und carol die Datei "plan.txt" mit dem Inhalt "Gleis 3" schickt',
    ),
    Phrase(
        StepKind.START_GROUP,
        '{participant} mit {participants} die Gruppe "{title}" gründet',
        'alice mit bob und carol die Gruppe "Wandern" gründet',
    ),
    Phrase(
        StepKind.SEND_GROUP,
        '{participant} an die Gruppe "{text}" schickt',
        'bob an die Gruppe "Wir treffen uns um fünf" schickt',
    ),
    Phrase(
        StepKind.SEND_GROUP_PART,
        '{participant} an die Gruppe den {part}-Text "{text}" schickt',
        'bob an die Gruppe den earlier-Text "Wir treffen uns um fünf" schickt',
    ),
    Phrase(StepKind.ADD, "{participant} {other} in die Gruppe aufnimmt", "alice dave in die Gruppe aufnimmt"),
    Phrase(StepKind.REMOVE, "{participant} {other} aus der Gruppe entfernt", "alice carol aus der Gruppe entfernt"),
    Phrase(
        StepKind.COMPARE,
        "{participant} und {other} ihre Sicherheitsnummern vergleichen",
        "alice und bob ihre Sicherheitsnummern vergleichen",
    ),
    Phrase(
        StepKind.COMPARE_DIFFERENT,
        "{participant} und {other} ihre Sicherheitsnummern vergleichen und diese verschieden sind",
        "alice und bob ihre Sicherheitsnummern vergleichen und diese verschieden sind",
    ),
    Phrase(
        StepKind.REFUSE_CONNECTION,
        "die App von {participant} nicht weitermacht, weil jemand anstelle des Dienstes ein Zertifikat zeigt, das "
        "{certificate} ist",
        "die App von alice nicht weitermacht, weil jemand anstelle des Dienstes ein Zertifikat zeigt, das expired ist",
    ),
    Phrase(
        StepKind.BREAK_TLS,
        "jemand unterwegs eingreift ({meddling}), während die App von {participant} sendet, und die Verbindung "
        "abbricht",
        "jemand unterwegs eingreift (changes), während die App von alice sendet, und die Verbindung abbricht",
    ),
    Phrase(
        StepKind.MEDDLE,
        '{participant} an {other} "{text}" schickt, der Betreiber eingreift ({meddling}) und niemand es merkt',
        'alice an bob "Komm sofort" schickt, der Betreiber eingreift (drops) und niemand es merkt',
    ),
    Phrase(
        StepKind.MEDDLE_NOTICED,
        '{participant} an {other} "{text}" schickt, der Betreiber eingreift ({meddling}) und die App von {other} es '
        "merkt",
        'alice an bob "Komm sofort" schickt, der Betreiber eingreift (repeats) und die App von bob es merkt',
    ),
    Phrase(
        StepKind.CHANGE,
        '{participant} an {other} "{text}" schickt, der Betreiber "{old}" in "{new}" ändert und es geglaubt wird',
        'alice an bob "Komm um 5" schickt, der Betreiber "5" in "6" ändert und es geglaubt wird',
    ),
    Phrase(
        StepKind.CHANGE_REFUSED,
        '{participant} an {other} "{text}" schickt, der Betreiber "{old}" in "{new}" ändert und es abgelehnt wird',
        'alice an bob "Komm um 5" schickt, der Betreiber "5" in "6" ändert und es abgelehnt wird',
    ),
    Phrase(
        StepKind.DENY_KEYS,
        "der Betreiber ab jetzt behauptet, dass niemand Schlüssel hat",
        "der Betreiber ab jetzt behauptet, dass niemand Schlüssel hat",
    ),
    Phrase(
        StepKind.SUBSTITUTE_KEYS,
        "der Betreiber ab jetzt eigene Schlüssel ausgibt",
        "der Betreiber ab jetzt eigene Schlüssel ausgibt",
    ),
    Phrase(
        StepKind.SUBSTITUTE_NEAR,
        "der Betreiber ab jetzt zwischen {participant} und {other} steht, mit Schlüsseln, die er gesucht hat",
        "der Betreiber ab jetzt zwischen alice und bob steht, mit Schlüsseln, die er gesucht hat",
    ),
    Phrase(
        StepKind.COMPARE_ENDS,
        "{participant} und {other} die erste und die letzte Ziffer ihrer Sicherheitsnummern vergleichen und keinen "
        "Unterschied sehen",
        "alice und bob die erste und die letzte Ziffer ihrer Sicherheitsnummern vergleichen und keinen "
        "Unterschied sehen",
    ),
    Phrase(
        StepKind.FORK,
        "der Betreiber ab jetzt zwischen {participant} und {other} steht und ihnen ein eigenes Logbuch zeigt",
        "der Betreiber ab jetzt zwischen alice und bob steht und ihnen ein eigenes Logbuch zeigt",
    ),
    Phrase(
        StepKind.NOTICE_FORK,
        '{participant} an {other} "{text}" schickt und die App von {other} merkt, dass es zwei Logbücher gibt',
        'alice an carol "Hallo" schickt und die App von carol merkt, dass es zwei Logbücher gibt',
    ),
    Phrase(
        StepKind.GHOST,
        "der Betreiber der Gruppe einen Geist hinzufügt",
        "der Betreiber der Gruppe einen Geist hinzufügt",
    ),
    Phrase(
        StepKind.REFUSE_GROUP,
        'die App von {participant} sich weigert, an die Gruppe "{text}" zu schicken',
        'die App von alice sich weigert, an die Gruppe "Wir treffen uns um fünf" zu schicken',
    ),
    Phrase(
        StepKind.GHOST_DEVICE,
        "der Betreiber dem Konto von {participant} ein Geistergerät hinzufügt",
        "der Betreiber dem Konto von bob ein Geistergerät hinzufügt",
    ),
    Phrase(StepKind.COPY, "jemand das Gerät von {participant} kopiert", "jemand das Gerät von bob kopiert"),
    Phrase(StepKind.LINK, "{participant} ein zweites Gerät dazunimmt", "bob ein zweites Gerät dazunimmt"),
    Phrase(
        StepKind.REPLACE,
        "{participant} das Gerät verliert und ein neues nimmt",
        "bob das Gerät verliert und ein neues nimmt",
    ),
    Phrase(
        StepKind.ACCEPT,
        "{participant} die neue Identität von {other} annimmt",
        "alice die neue Identität von bob annimmt",
    ),
    Phrase(
        StepKind.REFUSE,
        'die App von {participant} sich weigert, an {other} "{text}" zu schicken',
        'die App von alice sich weigert, an bob "Wir treffen uns um fünf" zu schicken',
    ),
    Phrase(
        StepKind.DELAY,
        '{participant} "{text}" für {other} verschlüsselt und die Nachricht aufgehalten wird',
        'alice "Wir treffen uns um fünf" für bob verschlüsselt und die Nachricht aufgehalten wird',
    ),
    Phrase(
        StepKind.DELIVER,
        "die aufgehaltene Nachricht {other} erreicht",
        "die aufgehaltene Nachricht bob erreicht",
    ),
    Phrase(
        StepKind.REPEAT,
        "dieselbe Nachricht {other} noch einmal erreicht und abgelehnt wird",
        "dieselbe Nachricht bob noch einmal erreicht und abgelehnt wird",
    ),
    Phrase(
        StepKind.REPEAT_READ,
        "dieselbe Nachricht {other} noch einmal erreicht und wieder gelesen wird",
        "dieselbe Nachricht bob noch einmal erreicht und wieder gelesen wird",
    ),
    Phrase(
        StepKind.FORGE,
        'der Betreiber an {other} "{text}" im Namen von {participant} schreibt und es geglaubt wird',
        'der Betreiber an bob "Bring deine Schlüssel mit" im Namen von alice schreibt und es geglaubt wird',
    ),
    Phrase(
        StepKind.FORGE_REFUSED,
        'der Betreiber an {other} "{text}" im Namen von {participant} schreibt und es abgelehnt wird',
        'der Betreiber an bob "Bring deine Schlüssel mit" im Namen von alice schreibt und es abgelehnt wird',
    ),
    Phrase(
        StepKind.SWAP,
        "der Betreiber den öffentlichen Schlüssel von {participant} austauscht",
        "der Betreiber den öffentlichen Schlüssel von bob austauscht",
    ),
    Phrase(
        StepKind.INTERCEPT,
        '{participant} an {other} "{text}" schickt, während {other} offline ist, und der Betreiber es liest und '
        "weitergibt",
        'alice an bob "Wir treffen uns um fünf" schickt, während bob offline ist, und der Betreiber es liest und '
        "weitergibt",
    ),
    Phrase(
        StepKind.SEND_OFFLINE,
        '{participant} an {other} "{text}" schickt, während {other} kein Internet hat, und es als SMS hinausgeht',
        'alice an bob "Wir treffen uns um fünf" schickt, während bob kein Internet hat, und es als SMS hinausgeht',
    ),
    Phrase(
        StepKind.SEND_OFFLINE_WAITS,
        '{participant} an {other} "{text}" schickt, während {other} kein Internet hat, und es wartet',
        'alice an bob "Wir treffen uns um fünf" schickt, während bob kein Internet hat, und es wartet',
    ),
    Phrase(
        StepKind.OPEN_DETAILS,
        "{participant} die Angaben zum Chat mit {other} öffnet",
        "alice die Angaben zum Chat mit bob öffnet",
    ),
    Phrase(
        StepKind.CHOOSE_ENCRYPTED,
        "{participant} einen verschlüsselten Chat mit {other} wählt",
        "alice einen verschlüsselten Chat mit bob wählt",
    ),
    Phrase(
        StepKind.CONFIRM_ENCRYPTED,
        "{participant} den verschlüsselten Chat mit {other} bestätigt",
        "alice den verschlüsselten Chat mit bob bestätigt",
    ),
    Phrase(
        StepKind.ACCEPT_ENCRYPTED,
        "{participant} den verschlüsselten Chat mit {other} annimmt",
        "bob den verschlüsselten Chat mit alice annimmt",
    ),
    Phrase(
        StepKind.MISS_FEATURE,
        "{participant} und {other} in ihrem verschlüsselten Chat {feature} versuchen und es nicht geht",
        "alice und bob in ihrem verschlüsselten Chat files versuchen und es nicht geht",
    ),
    Phrase(
        StepKind.TIMER,
        "{participant} die Nachrichten mit {other} nach {duration} verschwinden lässt",
        "alice die Nachrichten mit bob nach 1 h verschwinden lässt",
    ),
    Phrase(
        StepKind.VANISH,
        "{participant} mit {other} den Modus für verschwindende Nachrichten einschaltet",
        "alice mit bob den Modus für verschwindende Nachrichten einschaltet",
    ),
    Phrase(
        StepKind.GO_FORWARD,
        "die Uhren um {duration} vorgehen",
        "die Uhren um 24 h vorgehen",
    ),
    Phrase(
        StepKind.PROFILE,
        '{participant} in das Profil "{text}" schreibt',
        'alice in das Profil "Bis Sonntag am See" schreibt',
    ),
    Phrase(
        StepKind.REPORT,
        "{participant} den Text von {other} dem Betreiber meldet, der es nur glauben kann",
        "bob den Text von alice dem Betreiber meldet, der es nur glauben kann",
    ),
    Phrase(
        StepKind.REPORT_CHECKED,
        "{participant} den Text von {other} dem Betreiber meldet, der es prüfen kann",
        "bob den Text von alice dem Betreiber meldet, der es prüfen kann",
    ),
    Phrase(
        StepKind.LIE_BELIEVED,
        '{participant} "{text}" als Text von {other} meldet und der Betreiber es glauben muss',
        'bob "Bring mir Geld mit" als Text von alice meldet und der Betreiber es glauben muss',
    ),
    Phrase(
        StepKind.LIE_NOTICED,
        '{participant} "{text}" als Text von {other} meldet und der Betreiber weiß, dass es nicht gesendet wurde',
        'bob "Bring mir Geld mit" als Text von alice meldet und der Betreiber weiß, dass es nicht gesendet wurde',
    ),
    Phrase(
        StepKind.TWO_FACES,
        '{participant} an {other} eine verschlüsselte Datei mit zwei Gesichtern schickt, die "{first}" und "{second}" '
        "sagen",
        'alice an bob eine verschlüsselte Datei mit zwei Gesichtern schickt, die "Eine Blume für dich" und "Du '
        'Versager" sagen',
    ),
    Phrase(
        StepKind.FACE_BELIEVED,
        "{participant} das zweite Gesicht meldet und der Betreiber das erste sieht und es glaubt",
        "bob das zweite Gesicht meldet und der Betreiber das erste sieht und es glaubt",
    ),
    Phrase(
        StepKind.FACE_NOTICED,
        "{participant} das zweite Gesicht meldet und der Betreiber das erste sieht und weiß, dass es nicht stimmt",
        "bob das zweite Gesicht meldet und der Betreiber das erste sieht und weiß, dass es nicht stimmt",
    ),
    Phrase(
        StepKind.FACE_SHOWN,
        "{participant} das zweite Gesicht meldet und der Betreiber es sieht",
        "bob das zweite Gesicht meldet und der Betreiber es sieht",
    ),
    Phrase(StepKind.EXPECT, "können die Beobachter lesen", "können die Beobachter lesen"),
)

GERMAN = Language(
    phrases=_STEPS,
    keywords=MappingProxyType({Part.STAGE: "Angenommen", Part.STORY: "Wenn", Part.CLAIMS: "Dann"}),
    list_word="und",
    explanation="Wenn du vorhergesagt hast: {secret} bei {observer} {exposure}",
    explanation_opening="Wenn du vorhergesagt hast",
)
