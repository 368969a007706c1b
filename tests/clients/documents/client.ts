// A client whose types are generated from openapi.json: every path, body, parameter and answer is checked.
import { readFile } from "node:fs/promises";
import createClient from "openapi-fetch";
import type { components, paths } from "./openapi";

const [address, audio] = process.argv.slice(2) as [string, string];
const client = createClient<paths>({ baseUrl: address });

function form(body: Record<string, unknown>): FormData {
  const written = new FormData();
  for (const [name, value] of Object.entries(body)) written.append(name, value as string | Blob);
  return written;
}

async function main(): Promise<void> {
  const file = new Blob([await readFile(audio)]) as unknown as string;

  const health = await client.GET("/health");
  const status: "ok" | "degraded" | undefined = health.data?.status;

  const transcribed = await client.POST("/transcribe", { body: { file, language: "ko" }, bodySerializer: form });
  // The answer is text with another response_format.
  const text: string | undefined = typeof transcribed.data === "object" ? transcribed.data.text : undefined;

  const submitted = await client.POST("/v1/jobs", {
    params: { header: { "Idempotency-Key": "generated" } },
    body: { file },
    bodySerializer: form,
  });
  const accepted: components["schemas"]["JobAcceptedAnswer"] | undefined = submitted.data;
  const path = { job_id: accepted?.job_id ?? "" };
  const job = await client.GET("/v1/jobs/{job_id}", { params: { path } });

  const missing = await client.GET("/v1/jobs/{job_id}", { params: { path: { job_id: "0".repeat(32) } } });
  const reason: string | undefined = missing.error?.error.reason;
  const models = await client.GET("/v1/models");
  const names = models.data?.data.map((model) => model.id);
  console.log(JSON.stringify({ status, text, job: job.data?.job_id, accepted: accepted?.job_id, reason, names }));
}

void main();
