"""What asks for something else to be read: a playlist, a description of a session, a film in pieces, subtitles."""

from unit.transcriber_core.hostile.boxes import alias, atom, id3, mov
from unit.transcriber_core.hostile.kinds import NO_AUDIO, NO_SAMPLE, NO_STREAM, Bait, Decoded, Hostile, text
from unit.transcriber_core.media import RATE, wav_header

PLAYLIST = text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{url}/a.ts\n#EXT-X-ENDLIST\n")
CONCAT = text("ffconcat version 1.0\nfile '{decoy}'\n")
DASH = text(
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><BaseURL>{url}/</BaseURL><Period>'
    '<AdaptationSet mimeType="audio/mp4"><Representation id="1"><SegmentList><SegmentURL media="a"/></SegmentList>'
    "</Representation></AdaptationSet></Period></MPD>"
)
XSPF = text(
    '<?xml version="1.0"?><playlist version="1" xmlns="http://xspf.org/ns/0/"><trackList><track>'
    "<location>{url}/a.mp3</location></track></trackList></playlist>"
)


def url_atom(target: str) -> bytes:
    return atom("url ", bytes(4), target.encode(), b"\0")


def reference_movie(bait: Bait) -> bytes:
    target = f"{bait.url}/a".encode() + b"\0"
    where = atom("rdrf", bytes(4), b"url ", len(target).to_bytes(4, "big"), target)
    return atom("ftyp", b"qt  ", bytes(4)) + atom("moov", atom("rmra", atom("rmda", where)))


REFERENCES: dict[str, Hostile] = {
    "m3u8 to HTTP": Hostile(PLAYLIST, NO_AUDIO),
    "m3u8 to a file": Hostile(text("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile://{decoy}\n"), NO_AUDIO),
    "m3u8 with a key": Hostile(
        text("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI={url}/key\n#EXTINF:9,\ncrypto+file://{decoy}\n"), NO_AUDIO
    ),
    "m3u8 behind an ID3 tag": Hostile(lambda bait: id3(bytes(64)) + PLAYLIST(bait), NO_AUDIO),
    "m3u8 as the samples of a WAV": Hostile(
        lambda bait: wav_header(RATE, 3200) + PLAYLIST(bait).ljust(3200), Decoded(0.099, 0.101)
    ),
    "concat to HTTP": Hostile(text("ffconcat version 1.0\nfile '{url}/a.wav'\n"), NO_AUDIO),
    "concat to a file": Hostile(CONCAT, NO_AUDIO),
    "concat as the samples of a WAV": Hostile(
        lambda bait: wav_header(RATE, 3200) + CONCAT(bait).ljust(3200), Decoded(0.099, 0.101)
    ),
    "concat where a WAV has chunks": Hostile(lambda bait: b"RIFF\xff\0\0\0WAVE" + CONCAT(bait), NO_AUDIO),
    "DASH": Hostile(DASH, NO_AUDIO),
    "XSPF": Hostile(XSPF, NO_AUDIO),
    "PLS": Hostile(text("[playlist]\nNumberOfEntries=1\nFile1={url}/a.mp3\n"), NO_AUDIO),
    "ASX": Hostile(text('<asx version="3.0"><entry><ref href="{url}/a.wma"/></entry></asx>'), NO_AUDIO),
    "SMIL": Hostile(text('<smil><body><audio src="{url}/a.mp3"/></body></smil>'), NO_AUDIO),
    "SDP": Hostile(
        text("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=a\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio {port} RTP/AVP 0\n"), NO_AUDIO
    ),
    "RTP": Hostile(lambda bait: b"#!rtpplay1.0 127.0.0.1/%d\n" % bait.port + b"\x80\0\0\1" * 300, NO_AUDIO),
    "RTSP": Hostile(text("RTSPtextRTSP://127.0.0.1:{port}/a\r\n"), NO_AUDIO),
    "ffmetadata": Hostile(text(";FFMETADATA1\ntitle=a\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=9\n"), NO_AUDIO),
    "SRT": Hostile(text("1\n00:00:00,000 --> 00:00:09,000\n{url}\n\n"), NO_AUDIO),
    "WebVTT": Hostile(text("WEBVTT\n\n00:00.000 --> 00:09.000\n{url}\n"), NO_AUDIO),
    "ASS": Hostile(text("[Script Info]\nScriptType: v4.00+\n[Events]\nDialogue: 0,0:00:00,0:00:09,,a\n"), NO_AUDIO),
    "VobSub": Hostile(text("# VobSub index file, v7 (do not modify this line!)\nid: en, index: 0\n"), NO_AUDIO),
    "MOV with its samples in a file": Hostile(lambda bait: mov(url_atom(f"file://{bait.decoy}")), NO_SAMPLE),
    "MOV with its samples behind HTTP": Hostile(lambda bait: mov(url_atom(f"{bait.url}/a")), NO_SAMPLE),
    "MOV with its samples behind an alias": Hostile(
        lambda bait: mov(atom("alis", alias(str(bait.decoy))), offset=44), NO_SAMPLE
    ),
    "MOV that only refers to another": Hostile(reference_movie, NO_STREAM),
}
