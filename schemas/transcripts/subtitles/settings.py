"""Settings of subtitles."""

from pydantic import BaseModel, ConfigDict, Field


class SubtitleSettings(BaseModel):
    """Limits of the exports srt and vtt. Wide characters are those of Chinese, Japanese and Korean."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lines: int = Field(default=2, ge=1, le=4, description="Lines on the screen at once.")
    line_characters: int = Field(default=42, ge=10, le=200, description="Characters in a line.")
    wide_line_characters: int = Field(
        default=16, ge=5, le=100, description="Wide characters in a line; any other counts half."
    )
    characters_per_second: float = Field(default=20.0, ge=1, description="Reading speed.")
    wide_characters_per_second: float = Field(
        default=12.0, ge=1, description="Reading speed of wide characters; any other counts half."
    )
    shortest_seconds: float = Field(default=0.7, ge=0.1, le=2, description="A cue is shown for at least this.")
    longest_seconds: float = Field(default=7.0, ge=2, le=60, description="A cue is shown for at most this.")
    gap_seconds: float = Field(
        default=0.08, ge=0, le=1, description="Empty screen between cues; 0.08 is two frames at 25 a second."
    )
