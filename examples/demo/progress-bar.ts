/**
 * A progress bar on a terminal; elsewhere (a log, CI) one line when it is done.
 */
export const progressBar = (label: string, total: number) => {
  const width = 30
  const isTerminal = process.stdout.isTTY === true
  let shown = -1
  return (done: number): void => {
    const percent = Math.floor((done / total) * 100)
    if (percent === shown || (!isTerminal && done < total)) return
    shown = percent
    const full = Math.round((done / total) * width)
    const bar = `${"█".repeat(full)}${"░".repeat(width - full)}`
    process.stdout.write(
      `${isTerminal ? "\r" : ""}  ${label.padEnd(10)} ${bar} ${done}/${total}${done === total ? "\n" : ""}`
    )
  }
}
