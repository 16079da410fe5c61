"""What the pages say that people come to by a link, per language."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.locales import chain
from domain.recipients import Channel


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """The texts of one language."""

    language: str
    title: str
    introduction: str
    unsubscribe: str
    unsubscribe_button: str
    save: str
    nothing_more: str
    saved: str
    unchanged: str
    on: str
    off: str
    always: str
    silent: str
    no_topics: str
    gone_title: str
    gone: str
    stale: str
    away: str
    confirm_title: str
    confirm: str
    confirm_button: str
    confirmed: str
    unsubscribed: str
    channels: Mapping[Channel, str]


ENGLISH = Words(
    language="en",
    title="What you receive",
    introduction="Choose what we may send you, and how. Nothing changes before you save.",
    unsubscribe="You came here from a message about “{topic}” ({channel}).",
    unsubscribe_button="Stop “{topic}” by {channel}",
    save="Save my choices",
    nothing_more="Send me none of these",
    saved="Saved. This is what changed:",
    unchanged="Nothing changed; everything stays as it was.",
    on="on",
    off="off",
    always="Always sent, because it belongs to something that you ordered or asked for.",
    silent="Nothing is sent to you by {channel} at present, whatever you choose here.",
    no_topics="There is nothing to choose at present.",
    gone_title="This link does not work",
    gone="It is incomplete, or has ended. Please use the link in the newest message that you have from us.",
    stale="This page was open for too long, so nothing was saved. Please look at your choices and save again.",
    away="Your choices cannot be saved at the moment. Please try again in a few minutes.",
    confirm_title="Please confirm",
    confirm="May we send you this?",
    confirm_button="Yes, send me this",
    confirmed="Thank you, it is confirmed:",
    unsubscribed="You are unsubscribed.",
    channels={
        Channel.EMAIL: "e-mail",
        Channel.WHATSAPP: "WhatsApp",
        Channel.SMS: "text message",
        Channel.IN_APP: "in the app",
        Channel.WEBHOOK: "webhook",
    },
)
HINDI = Words(
    language="hi",
    title="आपको क्या भेजा जाए",
    introduction="चुनें कि हम आपको क्या और कैसे भेज सकते हैं। सहेजने से पहले कुछ नहीं बदलता।",
    unsubscribe="आप “{topic}” ({channel}) के संदेश से यहाँ आए हैं।",
    unsubscribe_button="{channel} पर “{topic}” बंद करें",
    save="मेरी पसंद सहेजें",
    nothing_more="इनमें से कुछ न भेजें",
    saved="सहेज लिया गया। ये बदलाव हुए:",
    unchanged="कुछ नहीं बदला; सब पहले जैसा है।",
    on="चालू",
    off="बंद",
    always="हमेशा भेजा जाता है, क्योंकि यह आपके ऑर्डर या अनुरोध से जुड़ा है।",
    silent="अभी आपको {channel} पर कुछ नहीं भेजा जाता, यहाँ आप कुछ भी चुनें।",
    no_topics="अभी चुनने के लिए कुछ नहीं है।",
    gone_title="यह लिंक काम नहीं करता",
    gone="लिंक अधूरा है या समाप्त हो चुका है। कृपया हमारे सबसे नए संदेश का लिंक इस्तेमाल करें।",
    stale="यह पेज बहुत देर तक खुला रहा, इसलिए कुछ सहेजा नहीं गया। कृपया अपनी पसंद देखकर फिर से सहेजें।",
    away="अभी आपकी पसंद सहेजी नहीं जा सकती। कृपया कुछ मिनट बाद फिर कोशिश करें।",
    confirm_title="कृपया पुष्टि करें",
    confirm="क्या हम आपको यह भेज सकते हैं?",
    confirm_button="हाँ, मुझे यह भेजें",
    confirmed="धन्यवाद, पुष्टि हो गई:",
    unsubscribed="आपकी सदस्यता हटा दी गई है।",
    channels={
        Channel.EMAIL: "ई-मेल",
        Channel.WHATSAPP: "WhatsApp",
        Channel.SMS: "टेक्स्ट संदेश",
        Channel.IN_APP: "ऐप में",
        Channel.WEBHOOK: "वेबहुक",
    },
)
_KNOWN = {words.language: words for words in (ENGLISH, HINDI)}


def words_for(locale: str | None, accepted: str = "") -> Words:
    """Returns the texts for a recipient's locale, else for what a browser accepts, else English."""
    wanted = [locale] if locale else [part.partition(";")[0].strip() for part in accepted[:200].split(",")]
    for tag in filter(None, wanted):
        try:
            names = chain(tag)
        except ValueError:
            continue
        found = next((_KNOWN[name] for name in names if name in _KNOWN), None)
        if found is not None:
            return found
    return ENGLISH


def title_of(name: str, titles: Mapping[str, str], locale: str) -> str:
    """Returns what a topic is called in a locale, else in English, else in any language, else by its name."""
    for tag in (*chain(locale), "en"):
        if tag in titles:
            return titles[tag]
    return next(iter(titles.values()), name)
