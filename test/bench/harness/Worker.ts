/**
 * What runs in a child process: the exported functions of the module `argv[2]`, called by name from the parent.
 */
const tasks = await import(process.argv[2] ?? "")

process.on("message", async (message) => {
  const { input, task } = JSON.parse(String(message))
  try {
    process.send?.(JSON.stringify({ value: await tasks[task](...input) }))
  } catch (error) {
    process.send?.(JSON.stringify({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }))
  }
})
process.once("disconnect", () => process.exit())
