"""The text of a job while it is transcribed, put together from its progress events. Pure."""

from dataclasses import dataclass

from schemas.transcripts.joining import needs_space


@dataclass(slots=True)
class TextSoFar:
    """The beginning of a transcript's text, as far as progress events report it without a gap.

    Events may be missing, repeated, or come from several attempts. Once text is part of it, it stays: text of a
    later attempt is added only where it continues what is there.
    """

    text: str = ""

    def add(self, text: str | None, offset: int | None) -> str:
        """Add the text of an event at its offset; return what is new, with the space before it, or ``""``.

        Text with a gap before it, of unknown offset or other than known text adds nothing.
        """
        if not text or offset is None:
            return ""
        new = self._continuation(text, offset)
        self.text += new
        return new

    def rest_of(self, transcript_text: str) -> str | None:
        """Return what the transcript's whole text adds to the end; None if it begins otherwise."""
        if not transcript_text.startswith(self.text):
            return None
        return transcript_text[len(self.text) :]

    def _continuation(self, text: str, offset: int) -> str:
        known = self.text[offset:]
        if known:
            return text[len(known) :] if text.startswith(known) else ""
        space = " " if self.text and needs_space(self.text[-1], text[0]) else ""
        return space + text if offset == len(self.text) + len(space) else ""
