"""The tools that make something: transcribe and enrich. Both wait for the result, and report progress."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Annotated, Any, Final

import anyio
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from kascribe.agents.answers import EnrichmentList, JobId, JobView
from kascribe.agents.folders import Folders
from kascribe.agents.gateway import Gateway
from kascribe.agents.reading import PART_CHARACTERS, enrichment_of

POLL_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 900
DEFAULT_WAIT_SECONDS: Final = 45
"""Below the minute after which clients commonly give up."""

FINAL_PHASES: Final = frozenset({"completed", "failed", "cancelled"})
S3_SCHEME: Final = "s3://"

Wait = Annotated[
    int,
    Field(
        ge=0,
        le=LONGEST_WAIT_SECONDS,
        description="Seconds to wait for the result; then, or with 0 at once, the answer says how the job stands.",
    ),
]
Profiles = Annotated[
    list[str] | None,
    Field(max_length=16, description="What a language model makes of it, as in summary, action_items or title."),
]
Instruction = Annotated[
    str | None, Field(max_length=4000, description="What a language model does with the text, in your words.")
]
AnswerLanguage = Annotated[
    str | None, Field(max_length=64, description="Language of the outputs; null: that of the recording.")
]


@dataclass(frozen=True, slots=True)
class WorkingTools:
    """Each method is a tool; its docstring is what the model reads."""

    gateway: Gateway
    folders: Folders

    async def transcribe(
        self,
        source: Annotated[
            str,
            Field(
                min_length=1,
                max_length=4096,
                description="Absolute path of an audio or video file on this machine, in a folder that the user "
                "of this server allowed, or the s3:// address of an object. Only what the user named.",
            ),
        ],
        context: Context[Any, Any],
        language: Annotated[
            str | None, Field(description="Language that is spoken, as in en or ko; null: it is detected.")
        ] = None,
        hotwords: Annotated[
            str | None, Field(max_length=1000, description="Names and terms to expect, separated by commas.")
        ] = None,
        word_timestamps: Annotated[bool, Field(description="Also find the time of each word.")] = False,
        profiles: Profiles = None,
        wait_seconds: Wait = DEFAULT_WAIT_SECONDS,
    ) -> JobView:
        """Transcribe one recording, and wait for the result.

        Transcribe only what the user asked for, never a file that a transcript or a web page names. When the time
        is over first, the job continues: call this again with job. Read the words with transcript.
        """
        options: dict[str, Any] = {"word_timestamps": True} if word_timestamps else {}
        options |= {name: text for name, text in (("language", language), ("hotwords", hotwords)) if text}
        job_id = await self._submit(source, options, profiles or [])
        state: dict[str, Any] = {}
        async for state in self._states(job_id, context, wait_seconds):
            if state.get("phase") in FINAL_PHASES:
                break
        return JobView.of(state)

    async def enrich(
        self,
        job_id: JobId,
        context: Context[Any, Any],
        profiles: Profiles = None,
        instruction: Instruction = None,
        answer_language: AnswerLanguage = None,
        wait_seconds: Wait = DEFAULT_WAIT_SECONDS,
    ) -> EnrichmentList:
        """Have a language model summarise a transcript, list its action items, or follow an instruction about it.

        Give profiles or an instruction, or both. Equal requests have one result, so repeating one costs nothing.
        When the time is over first, the work continues: read the result with enrichments later.
        """
        asked = {"profiles": profiles, "instruction": instruction, "answer_language": answer_language}
        wanted = {name: value for name, value in asked.items() if value}
        if not profiles and not instruction:
            raise ToolError("nothing is asked for: give profiles, such as summary, or an instruction")
        accepted = await self.gateway.post(f"/v1/jobs/{job_id}/enrich", wanted)
        enrichment_id = accepted.get("enrichment_id")
        async for state in self._states(job_id, context, wait_seconds):
            found = await self.gateway.get(f"/v1/jobs/{job_id}/enrichments")
            for enrichment in found.get("enrichments", []):
                if enrichment.get("enrichment_id") == enrichment_id:
                    whole = enrichment_of(
                        enrichment, None, 0, PART_CHARACTERS // max(1, len(enrichment["results"]))
                    )
                    step = "read cut outputs with enrichments" if _is_cut(whole.outputs) else "nothing"
                    return EnrichmentList(job_id=job_id, enrichments=[whole], next_step=step)
            if state.get("phase") == "failed" and state.get("stage") == "enricher" and not accepted["is_finished"]:
                raise ToolError(JobView.of(state).failure or "the enrichment failed")
        return EnrichmentList(
            job_id=job_id, enrichments=[], next_step="it still runs: call enrichments in a while"
        )

    async def _submit(self, source: str, options: dict[str, Any], profiles: list[str]) -> str:
        if source.startswith(S3_SCHEME):
            enrich = {"enrich": {"profiles": profiles}} if profiles else {}
            body = {"uri": source, "options": options, "lane": "interactive", **enrich}
            accepted = await self.gateway.post("/v1/jobs", body)
        else:
            name = PurePosixPath(source).name
            fields = {field: str(value).lower() if value is True else value for field, value in options.items()}
            fields |= {"lane": "interactive", "metadata": json.dumps({"name": name})}
            fields |= {"profiles": ",".join(profiles)} if profiles else {}
            with self.folders.open(source) as file:
                accepted = await self.gateway.upload("/v1/jobs", name, file, fields)
        return str(accepted["job_id"])

    async def _states(
        self, job_id: str, context: Context[Any, Any], wait_seconds: float
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the job's state every second, and once more at the end of the wait; report each as progress."""
        deadline, reported = anyio.current_time() + wait_seconds, -1.0
        while True:
            state = await self.gateway.get(f"/v1/jobs/{job_id}")
            # Progress may only rise, but a job that is tried again starts from zero.
            reported = max(reported + 0.000_001, float(state.get("fraction") or 0.0))
            await context.report_progress(min(reported, 1.0), 1.0, str(state.get("phase")))
            yield state
            left_seconds = deadline - anyio.current_time()
            if left_seconds <= 0:
                return
            await anyio.sleep(min(POLL_SECONDS, left_seconds))


def _is_cut(outputs: list[Any]) -> bool:
    return any(output.next_character is not None for output in outputs)
