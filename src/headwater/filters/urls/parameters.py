"""What a URL carries for advertisers and servers and not for the page: parameters of tracking and of sessions, one table with sources.

Only names whose publishers say that they tag a click or a visitor are here. ``ref``, ``source``, ``from``, ``id`` and their like choose pages on
many sites and stay; a name that is common for other things counts only with a value of the form that its software gives it.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["PATH_SESSIONS", "SESSION_VALUES", "TRACKING", "TRACKING_PREFIXES", "is_noise"]

TRACKING_PREFIXES: Final = (
    "utm_",  # Google Analytics, "Collect campaign data with custom URLs"; used alike by most others
    "mtm_",  # Matomo, "Tracking campaigns"
)
TRACKING: Final = frozenset(
    {
        *("gclid", "gclsrc", "dclid", "gbraid", "wbraid", "gad_source", "gad_campaignid"),  # Google Ads, "Auto-tagging"
        *("_ga", "_gl", "srsltid"),  # Google Analytics, "Cross-domain measurement"; Merchant Center, "Auto-tagging"
        *("fbclid", "igshid", "igsh"),  # Meta, "ClickID"; Instagram's share links
        "msclkid",  # Microsoft Advertising, "Auto-tagging of Click ID"
        *("yclid", "ymclid", "ysclid", "_openstat"),  # Yandex Direct and Metrica, "Link tagging"
        *(
            "twclid",
            "ttclid",
            "li_fat_id",
            "epik",
            "rdt_cid",
            "scclid",
        ),  # X, TikTok, LinkedIn, Pinterest, Reddit, Snapchat: click ids
        *("mc_cid", "mc_eid"),  # Mailchimp, "Use Google Analytics with Mailchimp"
        *(
            "_hsenc",
            "_hsmi",
            "__hssc",
            "__hstc",
            "__hsfp",
            "hsctatracking",
        ),  # HubSpot, "Cookies and tracking parameters"
        "mkt_tok",  # Adobe Marketo, "mkt_tok"
        *(
            "oly_anon_id",
            "oly_enc_id",
            "vero_id",
            "__s",
        ),  # Omeda, Vero, Drip; as Firefox strips them ("Query stripping" list)
        *("s_kwcid", "ef_id"),  # Adobe Advertising, "Click tracking"
        *("irclickid", "zanpid", "wickedid", "rb_clickid"),  # impact.com, Awin, Wicked Reports, Rockerbox
        *(
            "pk_campaign",
            "pk_kwd",
            "pk_keyword",
            "pk_source",
            "pk_medium",
            "pk_content",
            "pk_cid",
        ),  # Piwik, before Matomo
    }
)
"""Names in small letters; compared without regard to case."""
SESSION_VALUES: Final = {
    "jsessionid": re.compile(r".+"),  # Jakarta Servlet 6, section 7.1.3
    "phpsessid": re.compile(r"[0-9A-Za-z,-]{22,256}"),  # PHP, session.sid_length
    "sid": re.compile(r"[0-9A-Za-z]{32}"),  # phpBB; as the Internet Archive's SURT library strips it
    "s": re.compile(r"[0-9a-f]{32}"),  # vBulletin
    "zenid": re.compile(r"[0-9A-Za-z]{22,64}"),  # Zen Cart
    "oscsid": re.compile(r"[0-9A-Za-z]{22,64}"),  # osCommerce
    "cftoken": re.compile(r".+"),  # ColdFusion, "Client state management"; as SURT does
    "cfid": re.compile(r"[0-9]+"),
}
"""Name in small letters → the values with which it is a session."""
_ASP_SESSION: Final = re.compile(r"aspsessionid[a-z]{8}", re.IGNORECASE)
PATH_SESSIONS: Final = re.compile(
    r";jsessionid=[^/;]*"  # Jakarta Servlet 6, section 7.1.3
    r"|/\((?:[A-Za-z]\([0-9A-Za-z]{24}\))+\)(?=/)",  # ASP.NET, "cookieless sessions"
    re.IGNORECASE,
)


def is_noise(name: str, value: str) -> bool:
    """Return whether a parameter of a query is one of tracking or of a session.

    >>> is_noise("UTM_Source", "x"), is_noise("sid", "7"), is_noise("sid", "0123456789abcdef0123456789abcdef")
    (True, False, True)
    """
    name = name.lower()
    if name in TRACKING or name.startswith(TRACKING_PREFIXES):
        return True
    values = SESSION_VALUES.get(name)
    if values is not None:
        return values.fullmatch(value) is not None
    return name.startswith("aspsessionid") and _ASP_SESSION.fullmatch(name) is not None
