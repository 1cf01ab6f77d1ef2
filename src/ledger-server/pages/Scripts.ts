/**
 * What runs in the visitor's browser. Each script is a function of its own that uses nothing around it: it is sent as its
 * text. The pages are complete without them.
 */

/** Keeps the dashboard fresh: fetches the page again and puts its live part in place, while the page is looked at. */
const live = (): void => {
  const interval = 2_000
  const refresh = async (): Promise<void> => {
    const part = document.getElementById("live")
    if (part === null || document.hidden || part.contains(document.activeElement)) return
    const response = await fetch(location.href)
    if (!response.ok) return
    const fresh = new DOMParser().parseFromString(await response.text(), "text/html").getElementById("live")
    if (fresh !== null && fresh.innerHTML !== part.innerHTML) part.replaceWith(fresh)
  }
  setInterval(() => void refresh().catch(() => {}), interval)
}

/**
 * Checks a receipt in the visitor's browser: the record's hash is computed from its parts, and the predecessor is asked for
 * the hash that this record claims to follow. Nothing that the page itself says about the verdict is believed.
 */
const receipt = async (): Promise<void> => {
  const place = document.getElementById("verdict")
  const source = document.getElementById("evidence")
  if (place === null || source === null) return
  const { contextHash, inputHash, outputHash, previousHash, previousId, recordHash, verifyPath } = source.dataset
  const say = (isRight: boolean, text: string): void => {
    place.textContent = text
    place.className = `verdict ${isRight ? "good" : "bad"}`
  }
  const bytes = new TextEncoder().encode(`${previousHash ?? ""}${inputHash}${outputHash}${contextHash ?? ""}`)
  const digest = await crypto.subtle.digest("SHA-256", bytes)
  const computed = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("")
  if (computed !== recordHash)
    return say(false, "Your browser computed another record hash: this record is not what was recorded.")
  if (previousId !== undefined) {
    const answer = await (await fetch(`${verifyPath}/${previousId}`)).json()
    if (answer.chain?.record_hash !== previousHash) {
      return say(false, "Your browser asked for the record before: it does not have the hash that this one follows.")
    }
  }
  const own = await (await fetch(`${verifyPath}/${source.dataset.id}`)).json()
  if (own.is_valid !== true)
    return say(false, "The hashes fit, but the ledger says that this record was tampered with.")
  say(
    true,
    "Verified here: your browser computed the record hash from its parts, and the record before has the hash that this one follows."
  )
}

/** The scripts as text. */
export const scripts = { live: `(${live})()`, receipt: `(${receipt})()` }
