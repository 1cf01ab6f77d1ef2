// The declarations of `langfuse` and `posthog-node` mention these optional packages, which nothing here uses.
declare module "express"
declare module "openai" {
  export default class OpenAI {}
}
