"""Words that Malay has for Indonesian ones and Nigerian Pidgin for English ones, and sentences made Malay or Pidgin with them.

There is little Malay text to train on: the web sentences called Malay of ``../shared/sentences`` are Indonesian but for a tenth. So
Indonesian sentences get Malay words: no good Malay, but what tells the two apart stands in sentences of every subject. The words
were written down from usage, and kept where wordfreq's lists of both languages agree. Of Pidgin there are a thousand sentences, all about
software; English ones get its function words and spellings.
"""

from __future__ import annotations

import re

__all__ = ["MALAY_OF", "is_malay", "make_malay", "make_pidgin"]

_PAIRS = """
karena:kerana bahwa:bahawa bisa:boleh coba:cuba mencoba:mencuba mau:mahu uang:wang kantor:pejabat mobil:kereta sepeda:basikal
kelompok:kumpulan perusahaan:syarikat pemerintah:kerajaan pemerintahan:kerajaan polisi:polis kepolisian:polis universitas:universiti
kualitas:kualiti komunitas:komuniti aktivitas:aktiviti identitas:identiti fasilitas:fasiliti prioritas:prioriti minoritas:minoriti
mayoritas:majoriti kapasitas:kapasiti realitas:realiti intensitas:intensiti obesitas:obesiti persen:peratus miliar:bilion triliun:trilion
juli:julai agustus:ogos desember:disember maret:mac juni:jun senin:isnin kamis:khamis jumat:jumaat setelah:selepas sesudah:selepas
saat:semasa yaitu:iaitu yakni:iaitu adalah:ialah anggota:ahli tim:pasukan prancis:perancis jepang:jepun spanyol:sepanyol italia:itali
eropa:eropah inggris:inggeris serikat:syarikat swedia:sweden korban:mangsa tentara:tentera militer:tentera pengadilan:mahkamah
pemilu:pilihanraya partai:parti bisnis:perniagaan televisi:televisyen telepon:telefon stasiun:stesen dokter:doktor pasien:pesakit
penelitian:kajian ilmuwan:saintis pria:lelaki siswa:pelajar mahasiswa:pelajar direktur:pengarah sekretaris:setiausaha koran:akhbar
tanggal:tarikh menit:minit sore:petang meskipun:walaupun biaya:kos pajak:cukai utang:hutang keuangan:kewangan anggaran:belanjawan
kecelakaan:kemalangan hewan:haiwan listrik:elektrik salju:salji es:ais topan:taufan delapan:lapan nomor:nombor berbicara:bercakap
bicara:cakap berbeda:berbeza beda:beza perbedaan:perbezaan membedakan:membezakan saja:sahaja terjadi:berlaku khawatir:bimbang
kekhawatiran:kebimbangan sulit:sukar kesulitan:kesukaran membutuhkan:memerlukan butuh:perlu kebutuhan:keperluan menemukan:menemui
ditemukan:ditemui resmi:rasmi kabar:khabar proyek:projek obyek:objek diproduksi:dikeluarkan konsumen:pengguna toko:kedai pasar:pasaran
apotek:farmasi kesehatan:kesihatan sehat:sihat perawat:jururawat obat:ubat pengobatan:rawatan perawatan:rawatan kanker:kanser liburan:cuti
libur:cuti pengemudi:pemandu sopir:pemandu danau:tasik pohon:pokok handuk:tuala kamar:bilik ruangan:bilik jendela:tingkap kursi:kerusi
lemari:almari tas:beg sepatu:kasut celana:seluar gratis:percuma merek:jenama reporter:pemberita wakil:timbalan gubernur:gabenor
provinsi:wilayah kabupaten:daerah kecamatan:mukim desa:kampung kota:bandar perkotaan:bandar kristen:kristian parlemen:parlimen
konstitusi:perlembagaan pengacara:peguam jaksa:pendakwa terdakwa:tertuduh tersangka:suspek kejahatan:jenayah kriminal:jenayah
pencurian:kecurian perampokan:rompakan penembakan:tembakan ledakan:letupan meledak:meletup prajurit:askar derajat:darjah ton:tan
dasawarsa:dekad dekade:dekad periode:tempoh kemarin:semalam besok:esok selalu:sentiasa sebagian:sebahagian bagian:bahagian ekspor:eksport
investasi:pelaburan investor:pelabur berinvestasi:melabur rekening:akaun akun:akaun penjualan:jualan pengunjuk:penunjuk kampanye:kempen
kandidat:calon pemilih:pengundi suara:undi kejuaraan:kejohanan turnamen:kejohanan sepakbola:bolasepak pelatih:jurulatih babak:separuh
medali:pingat perunggu:gangsa olimpiade:olimpik olahraga:sukan musik:muzik musisi:pemuzik film:filem aktor:pelakon aktris:pelakon
sutradara:pengarah bioskop:pawagam acara:rancangan museum:muzium dinosaurus:dinosaur sapi:lembu antariksa:angkasa astronot:angkasawan
ilmiah:saintifik situs:laman perangkat:peranti berkas:fail layar:skrin tombol:butang pabrik:kilang bensin:petrol nuklir:nuklear limbah:sisa
panen:tuaian dosen:pensyarah gelar:ijazah lulusan:graduan bapak:bapa kakek:datuk istri:isteri pernikahan:perkahwinan menikah:berkahwin
nikah:kahwin perkawinan:perkahwinan kawin:kahwin pemakaman:pengebumian teman:kawan tetangga:jiran tamu:tetamu pengunjung:pelawat
wisatawan:pelancong turis:pelancong wisata:pelancongan pariwisata:pelancongan paspor:pasport perbatasan:sempadan batas:sempadan
berbatasan:bersempadan imigrasi:imigresen pengungsi:pelarian gue:aku enggak:tidak gak:tak dibanding:berbanding dibandingkan:berbanding
sedangkan:manakala maupun:mahupun harus:mesti dikarenakan:disebabkan tutur:kata mengungkapkan:mendedahkan berencana:merancang
bergabung:menyertai menyelenggarakan:menganjurkan diselenggarakan:dianjurkan penyelenggara:penganjur rapat:mesyuarat pers:akhbar
dampak:kesan aman:selamat keamanan:keselamatan mengurangi:mengurangkan berkurang:berkurangan mulai:mula memulai:memulakan dimulai:bermula
berlanjut:berterusan melanjutkan:meneruskan selanjutnya:seterusnya mengerti:faham paham:faham berpikir:berfikir pikiran:fikiran
diperkirakan:dianggarkan memperkirakan:menganggarkan merasa:berasa menginginkan:mahukan kaget:terkejut pintar:pandai praktek:amalan
praktik:amalan kurs:kadar standar:standard metode:kaedah ukuran:saiz yunani:greece irlandia:ireland skotlandia:scotland norwegia:norway
finlandia:finland polandia:poland hungaria:hungary ukraina:ukraine rumania:romania ceko:czech belgia:belgium meksiko:mexico kamboja:kemboja
suriah:syria irak:iraq yordania:jordan lebanon:lubnan palestina:palestin maroko:maghribi moskow:moscow roma:rom wina:vienna kairo:kaherah
"""
MALAY_OF = dict(pair.split(":") for pair in _PAIRS.split())
_INDONESIAN = frozenset(MALAY_OF) - frozenset(MALAY_OF.values())
_MALAY = frozenset(MALAY_OF.values()) - frozenset(
    """ahli aku akaun angkasa bahagian bandar boleh cuti daerah dianggarkan diperlukan disebabkan ditemui elektrik film isteri kaedah
    kampung kata kawan kebimbangan kereta kesan kini kumpulan lelaki lembu mac menemui menganjurkan menyertai merancang mesti mula pasukan
    pejabat pelajar pelarian pengguna perlu petang rancangan rawatan saintis selamat semalam separuh sukar tak tembakan tidak walaupun
    wilayah""".split()
)
_PIDGIN_OF = dict(
    pair.split(":")
    for pair in """
the:di they:dem them:dem that:dat this:dis these:dis their:dia there:dia with:wit people:pipo because:bicos what:wetin which:wey who:wey is:na
are:dey was:bin were:dey has:don have:get had:bin will:go would:go can:fit could:fit knows:sabi know:sabi not:no then:den than:pass thing:tin
things:tins something:somtin everything:evritin other:oda another:anoda others:odas child:pikin children:pikin food:chop eat:chop
very:well want:wan wants:wan government:goment after:afta before:bifor over:ova never:neva ever:eva when:wen without:widout together:togeda
person:pesin someone:pesin answer:ansa doctor:dokita problem:wahala please:abeg every:evri number:numba power:pawa leader:leda
leaders:leda member:memba members:membas officer:offisa officers:offisas says:tok said:tok talk:tok talks:tok tell:tell
""".split()
)
_WORD = re.compile(r"[^\W\d_]+")
_LEAST_CHANGES = {"ms": 2, "pcm": 4}


def make_malay(sentence: str) -> str | None:
    """Return an Indonesian sentence with Malay words, None if fewer than two of its words have one."""
    return _replace(sentence, MALAY_OF, _LEAST_CHANGES["ms"])


def make_pidgin(sentence: str) -> str | None:
    """Return an English sentence with words of Pidgin, None if fewer than four of its words have one."""
    return _replace(sentence, _PIDGIN_OF, _LEAST_CHANGES["pcm"])


def _replace(sentence: str, others: dict[str, str], least: int) -> str | None:
    changes = 0

    def change(match: re.Match[str]) -> str:
        nonlocal changes
        word = match.group()
        other = others.get(word.lower())
        if other is None:
            return word
        changes += 1
        return other.capitalize() if word[0].isupper() else other

    changed = _WORD.sub(change, sentence)
    return changed if changes >= least else None


def is_malay(sentence: str) -> bool:
    """Return whether a sentence has words that Malay alone has, and more of them than of those that Indonesian alone has."""
    words = [word.lower() for word in _WORD.findall(sentence)]
    malay, indonesian = (sum(word in listed for word in words) for listed in (_MALAY, _INDONESIAN))
    return malay > 0 and malay > indonesian
