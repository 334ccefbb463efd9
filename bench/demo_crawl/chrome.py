"""What stands around the main text of the demo's pages: menus, a notice about cookies, lists of links, a footer, in ten languages."""

from __future__ import annotations

from typing import Final

__all__ = ["dressed"]

_WORDS: Final[dict[str, tuple[str, ...]]] = {
    # menu (five), cookie notice, button, most read, three links, share, footer
    "en": (
        "Home",
        "Articles",
        "Archive",
        "About us",
        "Contact",
        "We use cookies to improve your visit. You can refuse them in the settings.",
        "Accept all",
        "Most read",
        "Ten knots that hold",
        "Why bread goes stale",
        "The quiet of snow",
        "Share this page",
        "All rights reserved. Imprint. Privacy.",
    ),
    "de": (
        "Startseite",
        "Artikel",
        "Archiv",
        "Über uns",
        "Kontakt",
        "Wir verwenden Cookies, um Ihren Besuch zu verbessern. Sie können sie in den Einstellungen ablehnen.",
        "Alle annehmen",
        "Meistgelesen",
        "Zehn Knoten, die halten",
        "Warum Brot altert",
        "Die Stille des Schnees",
        "Seite teilen",
        "Alle Rechte vorbehalten. Impressum. Datenschutz.",
    ),
    "fr": (
        "Accueil",
        "Articles",
        "Archives",
        "À propos",
        "Contact",
        "Nous utilisons des cookies pour améliorer votre visite. Vous pouvez les refuser dans les réglages.",
        "Tout accepter",
        "Les plus lus",
        "Dix nœuds qui tiennent",
        "Pourquoi le pain rassit",
        "Le silence de la neige",
        "Partager cette page",
        "Tous droits réservés. Mentions légales.",
    ),
    "es": (
        "Inicio",
        "Artículos",
        "Archivo",
        "Quiénes somos",
        "Contacto",
        "Usamos cookies para mejorar su visita. Puede rechazarlas en la configuración.",
        "Aceptar todo",
        "Lo más leído",
        "Diez nudos que aguantan",
        "Por qué envejece el pan",
        "El silencio de la nieve",
        "Compartir esta página",
        "Todos los derechos reservados. Aviso legal.",
    ),
    "it": (
        "Home",
        "Articoli",
        "Archivio",
        "Chi siamo",
        "Contatti",
        "Usiamo i cookie per migliorare la visita. Si possono rifiutare nelle impostazioni.",
        "Accetta tutto",
        "I più letti",
        "Dieci nodi che tengono",
        "Perché il pane invecchia",
        "Il silenzio della neve",
        "Condividi",
        "Tutti i diritti riservati. Note legali.",
    ),
    "ru": (
        "Главная",
        "Статьи",
        "Архив",
        "О нас",
        "Контакты",
        "Мы используем файлы cookie, чтобы сайт работал лучше. От них можно отказаться в настройках.",
        "Принять все",
        "Самое читаемое",
        "Десять надёжных узлов",
        "Почему черствеет хлеб",
        "Тишина снега",
        "Поделиться",
        "Все права защищены. Политика конфиденциальности.",
    ),
    "pl": (
        "Strona główna",
        "Artykuły",
        "Archiwum",
        "O nas",
        "Kontakt",
        "Używamy plików cookie, aby ulepszyć stronę. Można je odrzucić w ustawieniach.",
        "Akceptuj wszystkie",
        "Najczęściej czytane",
        "Dziesięć pewnych węzłów",
        "Dlaczego chleb czerstwieje",
        "Cisza śniegu",
        "Udostępnij",
        "Wszelkie prawa zastrzeżone. Polityka prywatności.",
    ),
    "zh": (
        "首页",
        "文章",
        "归档",
        "关于我们",
        "联系方式",
        "本站使用 Cookie 改善您的访问体验，您可以在设置中拒绝。",
        "全部接受",
        "热门阅读",
        "十种牢靠的绳结",
        "面包为什么会变硬",
        "雪的寂静",
        "分享本页",
        "版权所有，隐私政策。",
    ),
    "ja": (
        "ホーム",
        "記事",
        "過去の記事",
        "このサイトについて",
        "お問い合わせ",
        "このサイトではクッキーを使用しています。設定で拒否できます。",
        "すべて許可",
        "よく読まれている記事",
        "ほどけない結び方十種",
        "パンはなぜ固くなるか",
        "雪の静けさ",
        "共有する",
        "無断転載を禁じます。プライバシーポリシー。",
    ),
    "ar": (
        "الرئيسية",
        "مقالات",
        "الأرشيف",
        "من نحن",
        "اتصل بنا",
        "نستخدم ملفات تعريف الارتباط لتحسين زيارتك، ويمكنك رفضها في الإعدادات.",
        "قبول الكل",
        "الأكثر قراءة",
        "عشر عقد متينة",
        "لماذا ييبس الخبز",
        "صمت الثلج",
        "شارك الصفحة",
        "جميع الحقوق محفوظة. سياسة الخصوصية.",
    ),
    "hi": (
        "मुखपृष्ठ",
        "लेख",
        "संग्रह",
        "हमारे बारे में",
        "संपर्क",
        "हम आपके अनुभव को बेहतर बनाने के लिए कुकी का उपयोग करते हैं। आप इन्हें सेटिंग में बंद कर सकते हैं।",
        "सब स्वीकारें",
        "सबसे अधिक पढ़े गए",
        "दस पक्की गाँठें",
        "रोटी बासी क्यों होती है",
        "बर्फ़ की ख़ामोशी",
        "साझा करें",
        "सर्वाधिकार सुरक्षित। गोपनीयता नीति।",
    ),
}


def dressed(main: str, *, language: str, title: str, site: str, meta: str, head: str) -> str:
    """Return a whole page of a site around its main part.

    Args:
        site: which of the sites' shapes it has; sites differ in where menus stand and in what their classes are called.
        meta: the element that declares the charset; empty for none.
        head: further elements of the head.
    """
    home, articles, archive, about, contact, notice, accept, popular, one, two, three, share, footer = _WORDS[language]
    links = "".join(
        f'<li><a href="/{at}">{name}</a></li>' for at, name in enumerate((home, articles, archive, about, contact))
    )
    menu = f'<header class="site-header"><nav class="main-menu"><ul>{links}</ul></nav></header>'
    cookies = f'<div id="cookie-banner" class="cookie-notice"><p>{notice}</p><button>{accept}</button></div>'
    listed = "".join(f'<li><a href="/read/{at}">{name}</a></li>' for at, name in enumerate((one, two, three)))
    aside = f'<aside class="sidebar"><h3>{popular}</h3><ul>{listed}</ul></aside>'
    shared = f'<div class="share-buttons"><span>{share}</span> <a href="#">Mail</a> <a href="#">RSS</a></div>'
    bottom = f'<footer class="site-footer"><p>&copy; 2026 {footer}</p></footer>'
    script = "<script>window.dataLayer = window.dataLayer || []; function track(e) { dataLayer.push(e < 1 ? 0 : e); }</script>"
    if site in ("forum", "shop"):
        body = f'{cookies}<div class="nav">{home} &raquo; {articles}</div>{menu}<div id="content">{main}</div>{bottom}{script}'
    elif site == "docs":
        body = f"{menu}{aside}{main}{bottom}{script}"
    else:
        body = f'{script}{cookies}{menu}<div class="page"><div class="column">{main}{shared}</div>{aside}</div>{bottom}'
    return f'<!DOCTYPE html>\n<html lang="{language}"><head>{meta}<title>{title}</title>{head}</head>\n<body>{body}</body></html>\n'
