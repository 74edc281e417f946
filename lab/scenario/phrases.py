"""The words of lessons as data: each step with its phrase in English, and what each word means.

A translation has its phrases in a module of its own (german.py, named in languages.py); the words for modes, secrets,
observers, exposures and participants are the same in each language, so that two translations can be compared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum, auto
from types import MappingProxyType

from lab.model import Encryption, Exposure, Mode, Observer, SecretName
from lab.scenario.lesson import Certificate, Duration, Feature, Meddling


class Part(IntEnum):
    """The three parts of a scenario, in their order."""

    STAGE = 1
    STORY = 2
    CLAIMS = 3


class StepKind(Enum):
    """What a step does, in any language."""

    SERVE = auto()
    SERVE_WITH = auto()
    PAD = auto()
    INTERCEPTOR = auto()
    STRIP_TLS = auto()
    PINNED = auto()
    UNCHECKED = auto()
    HTTP_FIRST = auto()
    REMEMBERED = auto()
    FALL_BACK = auto()
    ASK = auto()
    LOGGED = auto()
    KEEP = auto()
    OPT_IN = auto()
    TEXT = auto()
    OVERWRITE = auto()
    BELIEVE = auto()
    COMMIT = auto()
    ONE_KEY = auto()
    PLANT = auto()
    SEND_TEXT = auto()
    SEND_PART = auto()
    SEND_FILE = auto()
    START_GROUP = auto()
    SEND_GROUP = auto()
    SEND_GROUP_PART = auto()
    ADD = auto()
    REMOVE = auto()
    COMPARE = auto()
    COMPARE_DIFFERENT = auto()
    REFUSE_CONNECTION = auto()
    BREAK_TLS = auto()
    MEDDLE = auto()
    MEDDLE_NOTICED = auto()
    CHANGE = auto()
    CHANGE_REFUSED = auto()
    DENY_KEYS = auto()
    SUBSTITUTE_KEYS = auto()
    SUBSTITUTE_NEAR = auto()
    COMPARE_ENDS = auto()
    FORK = auto()
    NOTICE_FORK = auto()
    GHOST = auto()
    REFUSE_GROUP = auto()
    GHOST_DEVICE = auto()
    COPY = auto()
    LINK = auto()
    REPLACE = auto()
    ACCEPT = auto()
    REFUSE = auto()
    DELAY = auto()
    DELIVER = auto()
    REPEAT = auto()
    REPEAT_READ = auto()
    FORGE = auto()
    FORGE_REFUSED = auto()
    SWAP = auto()
    INTERCEPT = auto()
    SEND_OFFLINE = auto()
    SEND_OFFLINE_WAITS = auto()
    OPEN_DETAILS = auto()
    CHOOSE_ENCRYPTED = auto()
    CONFIRM_ENCRYPTED = auto()
    ACCEPT_ENCRYPTED = auto()
    MISS_FEATURE = auto()
    TIMER = auto()
    VANISH = auto()
    GO_FORWARD = auto()
    PROFILE = auto()
    REPORT = auto()
    REPORT_CHECKED = auto()
    LIE_BELIEVED = auto()
    LIE_NOTICED = auto()
    TWO_FACES = auto()
    FACE_BELIEVED = auto()
    FACE_NOTICED = auto()
    FACE_SHOWN = auto()
    EXPECT = auto()

    @property
    def part(self) -> Part:
        """The part of a scenario in which such a step belongs."""
        if self in _OF_THE_STAGE:
            return Part.STAGE
        return Part.CLAIMS if self is StepKind.EXPECT else Part.STORY


_OF_THE_STAGE = frozenset(kind for kind in StepKind if kind.value <= StepKind.PLANT.value)
"""They stand first in `StepKind`, too."""

PARTS_OF_STORY = (SecretName.EARLIER, SecretName.LATER, SecretName.HEALED)
"""The texts that say when they are sent."""

NAMED_TEXTS = (*PARTS_OF_STORY, SecretName.REPORTED)
"""The texts that are called by the name of their secret."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """How a step is worded. `{fields}` in `template` are what the author fills in; `example` is one valid step.

    `meaning` is for the documentation, which is in English.
    """

    kind: StepKind
    template: str
    example: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Language:
    """The words of one language. `keywords` are the Gherkin keywords which documentation shows for each part."""

    phrases: tuple[Phrase, ...]
    keywords: Mapping[Part, str]
    list_word: str
    explanation: str
    """The heading of an explanation."""
    explanation_opening: str
    """Its first words: a heading that opens like this is meant as an explanation."""


_ENGLISH = (
    Phrase(
        StepKind.SERVE,
        "a message service in {mode} mode",
        "a message service in tls mode",
        "Starts the message service. Exactly one in each scenario.",
    ),
    Phrase(
        StepKind.SERVE_WITH,
        "a message service in {mode} mode with {encryption}",
        "a message service in e2ee mode with static",
        "The same, and says what participants encrypt with. Without it, e2ee mode is with `pqxdh`.",
    ),
    Phrase(
        StepKind.PAD,
        "texts are padded",
        "texts are padded",
        "In e2ee mode: apps fill each text up to a multiple of 160 bytes before they encrypt it.",
    ),
    Phrase(
        StepKind.INTERCEPTOR,
        "an interceptor with a certificate that is {certificate}",
        "an interceptor with a certificate that is trusted",
        "Somebody on the path stands in for the service, ends TLS, and passes everything on. Claims have a column "
        "`interceptor`. The apps must accept it: it is `trusted`, or they check no certificate.",
    ),
    Phrase(
        StepKind.STRIP_TLS,
        "an attacker on the path who removes TLS",
        "an attacker on the path who removes TLS",
        "Talks TLS to the service and none to the apps, and takes out of each answer what would make them use it. "
        "Claims have a column `interceptor`. Only apps that begin with http lose it. Needs tls or e2ee mode.",
    ),
    Phrase(
        StepKind.PINNED,
        "the apps pin the key of the service",
        "the apps pin the key of the service",
        "The key came with the app, which accepts no other one, whatever the certificate says.",
    ),
    Phrase(
        StepKind.UNCHECKED,
        "the apps check no certificate",
        "the apps check no certificate",
        "A bad example: they encrypt for whoever answers.",
    ),
    Phrase(
        StepKind.HTTP_FIRST,
        "the apps begin with http",
        "the apps begin with http",
        "A bad example: they ask without TLS first, and change to TLS when the service says so.",
    ),
    Phrase(
        StepKind.REMEMBERED,
        "the apps remember that the service wants https",
        "the apps remember that the service wants https",
        "They would begin with http, but have been told on an earlier visit (HSTS) never to do so again.",
    ),
    Phrase(
        StepKind.FALL_BACK,
        "the apps fall back to plaintext",
        "the apps fall back to plaintext",
        "A bad example: to somebody who has no keys they write without end-to-end encryption, and say nothing.",
    ),
    Phrase(
        StepKind.ASK,
        "the apps ask before they fall back to plaintext, and people agree",
        "the apps ask before they fall back to plaintext, and people agree",
        "The same, after a question that everybody answers with yes.",
    ),
    Phrase(
        StepKind.LOGGED,
        "the apps check a public log of keys",
        "the apps check a public log of keys",
        "Key transparency: keys count only if they stand in a log that everybody sees, and each app looks for keys of "
        "its own account there. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.KEEP,
        "the apps keep messages",
        "the apps keep messages",
        "What was sent or read stays on the devices, as on real ones, and is copied with them. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.OPT_IN,
        "the apps encrypt only the chats where people have switched it on",
        "the apps encrypt only the chats where people have switched it on",
        "In e2ee mode: a chat begins without end-to-end encryption, until two people take the four steps below. Texts "
        "that are sent before that may be `earlier`.",
    ),
    Phrase(
        StepKind.TEXT,
        "the apps send a text message to whoever has no internet",
        "the apps send a text message to whoever has no internet",
        "A text message is what phones had before there were apps (SMS): the phone company delivers it, without any "
        "encryption. Here, the same company runs the message service.",
    ),
    Phrase(
        StepKind.OVERWRITE,
        "the operator overwrites what it deletes",
        "the operator overwrites what it deletes",
        "In the database (`secure_delete`), and in the list of its latest changes (the write-ahead log). Without this "
        "step, SQLite does as it does by itself: what was deleted stays in its files until something else is written "
        "there.",
    ),
    Phrase(
        StepKind.BELIEVE,
        "the apps write to whoever the service calls a member of a group",
        "the apps write to whoever the service calls a member of a group",
        "A bad example: other apps write to those whom their user knows to be in the group. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.COMMIT,
        "the apps commit to what they send",
        "the apps commit to what they send",
        "Beside each encrypted message goes a number that fits its text and its file, and no others. With it, the "
        "operator can check a report. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.ONE_KEY,
        "the apps keep one key for each sealed file",
        "the apps keep one key for each sealed file",
        "A bad example: whoever reports a sealed file that came twice hands over the key that came first. Only in e2ee "
        "mode.",
    ),
    Phrase(
        StepKind.PLANT,
        "the secrets {secrets}",
        "the secrets body, sender and time",
        "Names what the lab looks for. Exactly one in each scenario.",
    ),
    Phrase(
        StepKind.SEND_TEXT,
        '{participant} sends {participants} "{text}"',
        'alice sends bob "Meet me at 5pm"',
        "Sends a text message. The secret `body` needs one.",
    ),
    Phrase(
        StepKind.SEND_PART,
        '{participant} sends {participants} the {part} text "{text}"',
        'alice sends bob the later text "Meet me at 6pm"',
        "Sends a text that is a secret of its own: `earlier`, `later` or `healed`, which need a copied device, or "
        "`reported`, which its recipient has to report.",
    ),
    Phrase(
        StepKind.SEND_FILE,
        '{participant} sends {participants} the file "{name}" containing "{text}"',
        'alice sends bob and carol the file "plan.txt" containing "Platform 3"',
        "Sends a file. The secret `attachment` needs one.",
    ),
    Phrase(
        StepKind.START_GROUP,
        '{participant} starts the group "{title}" with {participants}',
        'alice starts the group "Hiking" with bob and carol',
        "Starts a group. One in a scenario. The secret `group` is its title.",
    ),
    Phrase(
        StepKind.SEND_GROUP,
        '{participant} sends the group "{text}"',
        'bob sends the group "Meet me at 5pm"',
        "Sends a text to everybody who is in the group by then. It is a `body`.",
    ),
    Phrase(
        StepKind.SEND_GROUP_PART,
        '{participant} sends the group the {part} text "{text}"',
        'bob sends the group the earlier text "Meet me at 5pm"',
        "The same, with a text that is `earlier`, `later`, `healed` or `reported`.",
    ),
    Phrase(
        StepKind.ADD,
        "{participant} adds {other} to the group",
        "alice adds dave to the group",
        "A member takes somebody into the group.",
    ),
    Phrase(
        StepKind.REMOVE,
        "{participant} removes {other} from the group",
        "alice removes carol from the group",
        "A member takes another one out of the group.",
    ),
    Phrase(
        StepKind.COMPARE,
        "{participant} and {other} compare safety numbers",
        "alice and bob compare safety numbers",
        "They must be equal, and each marks the other one as verified. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.COMPARE_DIFFERENT,
        "{participant} and {other} compare safety numbers, and they differ",
        "alice and bob compare safety numbers, and they differ",
        "They must differ: somebody has handed out other keys. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.REFUSE_CONNECTION,
        "the app of {participant} refuses to connect through an interceptor with a certificate that is {certificate}",
        "the app of alice refuses to connect through an interceptor with a certificate that is expired",
        "For this one connection, somebody stands in for the service. The app must refuse. Claims have a column "
        "`interceptor`. Not in plaintext mode.",
    ),
    Phrase(
        StepKind.BREAK_TLS,
        "somebody on the path {meddling} what the app of {participant} says, and the connection breaks",
        "somebody on the path changes what the app of alice says, and the connection breaks",
        "For one further connection, somebody meddles with the encrypted bytes, and TLS must notice. With `changes`, "
        "`repeats` or `truncates`. Not in plaintext mode.",
    ),
    Phrase(
        StepKind.MEDDLE,
        '{participant} sends {other} "{text}", the operator {meddling} it, and nobody notices',
        'alice sends bob "Come at once", the operator drops it, and nobody notices',
        "The operator meddles with the encrypted message. What is sent here is no `body`. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.MEDDLE_NOTICED,
        '{participant} sends {other} "{text}", the operator {meddling} it, and the app of {other} notices',
        'alice sends bob "Come at once", the operator repeats it, and the app of bob notices',
        "The same, and the app must refuse what it gets.",
    ),
    Phrase(
        StepKind.CHANGE,
        '{participant} sends {other} "{text}", the operator changes "{old}" to "{new}", and it is believed',
        'alice sends bob "Meet me at 5pm", the operator changes "5pm" to "6pm", and it is believed',
        "The operator flips bits of the encrypted message, without any key. Both pieces have the same length. What is "
        "sent here is no `body`. Only in e2ee mode; only `ctr` does not notice.",
    ),
    Phrase(
        StepKind.CHANGE_REFUSED,
        '{participant} sends {other} "{text}", the operator changes "{old}" to "{new}", and it is refused',
        'alice sends bob "Meet me at 5pm", the operator changes "5pm" to "6pm", and it is refused',
        "The same, and the app must refuse it.",
    ),
    Phrase(
        StepKind.DENY_KEYS,
        "the operator says from now on that nobody has keys",
        "the operator says from now on that nobody has keys",
        "Whichever app asks for somebody's keys is told that there are none. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.SUBSTITUTE_KEYS,
        "the operator hands out keys of its own from now on",
        "the operator hands out keys of its own from now on",
        "Between each two participants, the operator stands in for both: it opens each message with its own keys and "
        "seals it again. What it opens counts as what `server` can read. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.SUBSTITUTE_NEAR,
        "the operator stands between {participant} and {other} from now on, with keys that it has searched",
        "the operator stands between alice and bob from now on, with keys that it has searched",
        "The same for these two alone, who must not have met. With these keys, the first and the last digit of their "
        "safety numbers are the same.",
    ),
    Phrase(
        StepKind.COMPARE_ENDS,
        "{participant} and {other} compare the first and the last digit of their safety numbers, and see no difference",
        "alice and bob compare the first and the last digit of their safety numbers, and see no difference",
        "And the numbers must differ. Needs keys that were searched.",
    ),
    Phrase(
        StepKind.FORK,
        "the operator stands between {participant} and {other} from now on, and shows them a log of their own",
        "the operator stands between alice and bob from now on, and shows them a log of their own",
        "The same for these two alone, who must not have met. Needs apps that check a public log of keys: the other "
        "log has the operator's keys in it, and is signed as the true one is.",
    ),
    Phrase(
        StepKind.NOTICE_FORK,
        '{participant} sends {other} "{text}", and the app of {other} notices that there are two logs',
        'alice sends carol "Hello", and the app of carol notices that there are two logs',
        "One of them was shown another log, and the other one was not. What is sent here is no `body`.",
    ),
    Phrase(
        StepKind.GHOST,
        "the operator adds a ghost to the group",
        "the operator adds a ghost to the group",
        "A ghost is a member whom no other member has asked in, and who is nobody but the operator. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.REFUSE_GROUP,
        'the app of {participant} refuses to send the group "{text}"',
        'the app of alice refuses to send the group "Meet me at 5pm"',
        "The app must refuse: there is a ghost in the group. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.GHOST_DEVICE,
        "the operator adds a ghost device to the account of {participant}",
        "the operator adds a ghost device to the account of bob",
        "From now on, the service says that this participant has one more device, which is nobody but the operator. "
        "The list of devices is signed with a key of the operator's: an app that knows the real key refuses it. "
        "Only in e2ee mode.",
    ),
    Phrase(
        StepKind.COPY,
        "somebody copies the device of {participant}",
        "somebody copies the device of bob",
        "Copies everything that the newest device of this participant holds now. From then on, claims have a column "
        "`device`. One in a scenario, in e2ee mode.",
    ),
    Phrase(
        StepKind.LINK,
        "{participant} takes a second device",
        "bob takes a second device",
        "Links one more device to the account. It gets what is sent from now on. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.REPLACE,
        "{participant} loses the device and takes a new one",
        "bob loses the device and takes a new one",
        "All keys are gone; the new device has an identity of its own. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.ACCEPT,
        "{participant} accepts the new identity of {other}",
        "alice accepts the new identity of bob",
        "Needed before an app writes to somebody who has lost the device. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.REFUSE,
        'the app of {participant} refuses to send {other} "{text}"',
        'the app of alice refuses to send bob "Meet me at 5pm"',
        "The app must refuse: the identity has changed, the public key was swapped, or the text is too long for `rsa`. "
        "Only in e2ee mode.",
    ),
    Phrase(
        StepKind.DELAY,
        '{participant} seals "{text}" for {other}, and it is delayed',
        'alice seals "Meet me at 5pm" for bob, and it is delayed',
        "Encrypts a text, which stays on its way for now. It is a `body`. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.DELIVER,
        "the delayed message reaches {other}",
        "the delayed message reaches bob",
        "It is delivered, and must be read. Before the claims, no message may be left.",
    ),
    Phrase(
        StepKind.REPEAT,
        "the same message reaches {other} again and is refused",
        "the same message reaches bob again and is refused",
        "The message that was delayed is delivered once more, and the app must refuse it.",
    ),
    Phrase(
        StepKind.REPEAT_READ,
        "the same message reaches {other} again and is read again",
        "the same message reaches bob again and is read again",
        "The same, and the app shows it as if it were new, as it does with `rsa`, `static` and `ctr`.",
    ),
    Phrase(
        StepKind.FORGE,
        'the operator writes {other} "{text}" in the name of {participant}, and it is believed',
        'the operator writes bob "Bring your keys" in the name of alice, and it is believed',
        "The operator posts a text of its own, and the app shows it as if it were from this participant, as it does "
        "with `rsa`. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.FORGE_REFUSED,
        'the operator writes {other} "{text}" in the name of {participant}, and it is refused',
        'the operator writes bob "Bring your keys" in the name of alice, and it is refused',
        "The same, and the app must refuse it.",
    ),
    Phrase(
        StepKind.SWAP,
        "the operator swaps the public key of {participant}",
        "the operator swaps the public key of bob",
        "From now on, the service hands out a key of the operator's own. Nobody may have written to this participant "
        "before. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.INTERCEPT,
        '{participant} sends {other} "{text}" while {other} is offline, and the operator reads it and passes it on',
        'alice sends bob "Meet me at 5pm" while bob is offline, and the operator reads it and passes it on',
        "The operator opens the message with its own key and encrypts it again, with the real one. It is a `body`. "
        "Needs a swapped key; only `rsa` does not notice.",
    ),
    Phrase(
        StepKind.SEND_OFFLINE,
        '{participant} sends {other} "{text}" while {other} has no internet, and it goes as a text message',
        'alice sends bob "Meet me at 5pm" while bob has no internet, and it goes as a text message',
        "It is a `body`. Needs apps that send text messages, and everybody has internet again afterwards.",
    ),
    Phrase(
        StepKind.SEND_OFFLINE_WAITS,
        '{participant} sends {other} "{text}" while {other} has no internet, and it waits',
        'alice sends bob "Meet me at 5pm" while bob has no internet, and it waits',
        "It is a `body`. Needs apps that send no text messages: it is delivered when everybody has internet again.",
    ),
    Phrase(
        StepKind.OPEN_DETAILS,
        "{participant} opens the details of the chat with {other}",
        "alice opens the details of the chat with bob",
        "The first of four steps to an encrypted chat, in this order. The app looks whether the other one has keys.",
    ),
    Phrase(
        StepKind.CHOOSE_ENCRYPTED,
        "{participant} chooses an encrypted chat with {other}",
        "alice chooses an encrypted chat with bob",
        "The second step. The app explains what that is, and nothing is sent.",
    ),
    Phrase(
        StepKind.CONFIRM_ENCRYPTED,
        "{participant} confirms the encrypted chat with {other}",
        "alice confirms the encrypted chat with bob",
        "The third step: there is a new chat, beside the old one, and the other one is asked.",
    ),
    Phrase(
        StepKind.ACCEPT_ENCRYPTED,
        "{participant} accepts the encrypted chat with {other}",
        "bob accepts the encrypted chat with alice",
        "The fourth step, by the other one. The new chat is empty, and what these two write from now on goes there.",
    ),
    Phrase(
        StepKind.MISS_FEATURE,
        "{participant} and {other} try {feature} in their encrypted chat, and it does not work",
        "alice and bob try files in their encrypted chat, and it does not work",
        "It must not work. For `devices`, the first one takes a second device, looks at it and puts it away; there "
        "must be something in the old chat.",
    ),
    Phrase(
        StepKind.TIMER,
        "{participant} lets messages with {other} disappear after {duration}",
        "alice lets messages with bob disappear after 1 h",
        "What these two write to each other from now on. In e2ee mode it is the apps that delete, which have to keep "
        "messages for that; in the other modes it is the service.",
    ),
    Phrase(
        StepKind.VANISH,
        "{participant} switches on vanish mode with {other}",
        "alice switches on vanish mode with bob",
        "The service deletes the text of what these two write to each other from now on, once it was read. Not in e2ee "
        "mode.",
    ),
    Phrase(
        StepKind.GO_FORWARD,
        "the clocks go forward by {duration}",
        "the clocks go forward by 24 h",
        "Those of the service and of all apps, at once: nobody has to wait. Then everybody opens the app. Not with the "
        "secret `time`.",
    ),
    Phrase(
        StepKind.PROFILE,
        '{participant} sets the profile "{text}"',
        'alice sets the profile "At the lake until Sunday"',
        "Says something about oneself; the apps of all others show it. The secret `profile` needs one.",
    ),
    Phrase(
        StepKind.REPORT,
        "{participant} reports the text of {other} to the operator, who can only believe it",
        "bob reports the text of alice to the operator, who can only believe it",
        "The `reported` text that came last goes to the operator, who cannot know whether it was sent. In e2ee mode, "
        "with apps that do not commit to what they send.",
    ),
    Phrase(
        StepKind.REPORT_CHECKED,
        "{participant} reports the text of {other} to the operator, who can check it",
        "bob reports the text of alice to the operator, who can check it",
        "The same, and the operator knows that it was sent: it has read the message itself, or the apps commit to what "
        "they send.",
    ),
    Phrase(
        StepKind.LIE_BELIEVED,
        '{participant} reports "{text}" as a text of {other}, and the operator has to believe it',
        'bob reports "Bring me money" as a text of alice, and the operator has to believe it',
        "A lie: an app reports something else in place of the last text. In e2ee mode, with apps that do not commit to "
        "what they send.",
    ),
    Phrase(
        StepKind.LIE_NOTICED,
        '{participant} reports "{text}" as a text of {other}, and the operator knows that it was not sent',
        'bob reports "Bring me money" as a text of alice, and the operator knows that it was not sent',
        "The same, where the operator can check what is reported.",
    ),
    Phrase(
        StepKind.TWO_FACES,
        '{participant} sends {other} a sealed file with two faces, which say "{first}" and "{second}"',
        'alice sends bob a sealed file with two faces, which say "A flower for you" and "You loser"',
        "An attack by the sender: the same encrypted bytes are sent twice, and with the key in each message, they are "
        "another picture. The first text is an `attachment`, the second one is `reported`. Only in e2ee mode.",
    ),
    Phrase(
        StepKind.FACE_BELIEVED,
        "{participant} reports the second face, and the operator sees the first one and believes it",
        "bob reports the second face, and the operator sees the first one and believes it",
        "Whoever got a file with two faces reports it. Needs apps that keep one key for each sealed file.",
    ),
    Phrase(
        StepKind.FACE_NOTICED,
        "{participant} reports the second face, and the operator sees the first one and knows that it is wrong",
        "bob reports the second face, and the operator sees the first one and knows that it is wrong",
        "The same, with apps that commit to what they send as well.",
    ),
    Phrase(
        StepKind.FACE_SHOWN,
        "{participant} reports the second face, and the operator sees it",
        "bob reports the second face, and the operator sees it",
        "The same, with apps that report the key that came with the message.",
    ),
    Phrase(
        StepKind.EXPECT,
        "the observers can read",
        "the observers can read",
        "The claims: a table below, with a row for each secret and a column for each observer.",
    ),
)

ENGLISH = Language(
    phrases=_ENGLISH,
    keywords=MappingProxyType({Part.STAGE: "Given", Part.STORY: "When", Part.CLAIMS: "Then"}),
    list_word="and",
    explanation="If you predicted {secret} at {observer} {exposure}",
    explanation_opening="If you predicted",
)

WORDS: tuple[tuple[str, Mapping[StrEnum, str]], ...] = (
    (
        "mode",
        {
            Mode.PLAINTEXT: "no encryption at all",
            Mode.TLS: "each connection to the service is encrypted (HTTPS)",
            Mode.E2EE: "the same, and participants encrypt texts and files for each other",
        },
    ),
    (
        "encryption",
        {
            Encryption.PQXDH: "as Signal does it: each message has a key of its own, and each answer brings new keys; "
            "the first keys are also protected from quantum computers",
            Encryption.X3DH: "the same without protection from quantum computers",
            Encryption.OLM: "as Matrix does it, by the program that Matrix uses; needs `pip install 'mitm-lab[olm]'`",
            Encryption.STATIC: "a bad example: the keys never change",
            Encryption.CTR: "a bad example: the same, and a message that was changed on its way is shown as it arrives",
            Encryption.RSA: "a bad example: RSA as in a school book, for short texts only",
        },
    ),
    (
        "certificate",
        {
            Certificate.TRUSTED: "nothing is wrong with it: its authority was installed on the devices",
            Certificate.UNTRUSTED: "its authority is one that no device knows",
            Certificate.SELF_SIGNED: "it has no authority but itself",
            Certificate.EXPIRED: "it was valid until yesterday",
            Certificate.MISNAMED: "it is for another name",
        },
    ),
    (
        "meddling",
        {
            Meddling.CHANGES: "changes a byte of it",
            Meddling.REPEATS: "delivers it twice",
            Meddling.REORDERS: "delivers it after one that is sent later",
            Meddling.DROPS: "never delivers it",
            Meddling.TRUNCATES: "cuts off its end",
            Meddling.MISDELIVERS: "delivers it to the same person, in another conversation",
        },
    ),
    (
        "feature",
        {
            Feature.FILES: "a file, for example a voice message: the app refuses it",
            Feature.GROUPS: "a third person: the service refuses it",
            Feature.DEVICES: "a device that is new: it shows what was said in the old chat, and nothing of the new one",
        },
    ),
    (
        "duration",
        {
            Duration.SECONDS: "five seconds",
            Duration.MINUTE: "a minute",
            Duration.HOUR: "an hour",
            Duration.DAY: "a day",
        },
    ),
    (
        "secrets",
        {
            SecretName.BODY: "the text of a message",
            SecretName.EARLIER: "the text of a message that was read before a device was copied, or before encryption "
            "was switched on",
            SecretName.LATER: "the text of a message that is sent after a device was copied",
            SecretName.HEALED: "the same, once the devices have had time to agree on new keys",
            SecretName.REPORTED: "what a recipient reports: a text, or the text in a picture",
            SecretName.GROUP: "the title of the group",
            SecretName.ATTACHMENT: "the text in a file",
            SecretName.PROFILE: "what somebody says about themselves",
            SecretName.SENDER: "the account name of who sends",
            SecretName.RECIPIENT: "the account name of who receives",
            SecretName.PASSWORD: "the password of the sender",
            SecretName.SERVICE: "the name of the message service",
            SecretName.SIZE: "how long a message is",
            SecretName.TIME: "when it was sent",
        },
    ),
    (
        "observer",
        {
            Observer.NETWORK: "on the path between participants and service, without any key",
            Observer.INTERCEPTOR: "on the path too, and ends TLS with a certificate from an authority of its own",
            Observer.SERVER: "the operator, reading what arrives at the service",
            Observer.DATABASE: "whoever gets a copy of the operator's stored data",
            Observer.DEVICE: "whoever has the copy of a device, and all that passed the service before and after",
        },
    ),
    (
        "exposure",
        {
            Exposure.EXPOSED: "the observer can read it",
            Exposure.INFERRED: "the observer cannot read it, but can work it out (only `size` and `time`)",
            Exposure.HIDDEN: "the lab looked for it and did not find it; a `size` looks like very different ones",
        },
    ),
)
"""What each word means to an author, for the documentation."""
