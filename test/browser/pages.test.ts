/**
 * The ledger's pages in a real Chromium: `npm run test:browser`, with `CHROMIUM` naming another binary than Debian's.
 *
 * Screenshots go to `XASE_ARTIFACTS`, else to a folder of the system's for temporary files.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { type Browser, chromium, type Page } from "playwright-core"
import { type RunningLedger, startLedger } from "../../src/ledger-server/index.ts"
import { XaseClient } from "../../src/promise.ts"
import { runCommand } from "../support/Command.ts"

const binary = process.env.CHROMIUM ?? "/usr/bin/chromium"
const artifacts = process.env.XASE_ARTIFACTS ?? join(tmpdir(), "xase-pages")
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8")

const flags = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync"
]

let browser: Browser
let ledger: RunningLedger
const ids: Array<string> = []
const nasty = '<img src=x onerror="document.title=1">'

const shapeOf = (n: number) => ({
  policy: n % 3 === 0 ? "fraud_v2" : n === 1 ? nasty : "credit_v4",
  input: { n, note: "</script><script>document.title='2'</script>" },
  output: { decision: n % 2 === 0 ? "APPROVED" : "DECLINED" },
  confidence: (n % 10) / 10,
  storePayload: n !== 5
})

beforeAll(async () => {
  if (!existsSync(binary)) throw new Error(`no Chromium at ${binary}: apt-get install chromium, or set CHROMIUM`)
  mkdirSync(artifacts, { recursive: true })
  browser = await chromium.launch({ executablePath: binary, args: flags })
  ledger = await startLedger({ rateLimit: "unlimited" })
  await using client = new XaseClient({
    apiKey: ledger.apiKey,
    baseUrl: ledger.baseUrl,
    exitHandlers: false,
    onSuccess: (receipt) => ids.push(receipt.transaction_id)
  })
  for (let n = 0; n < 40; n++) await client.record(shapeOf(n))
  await client.flush(20_000)
})

afterAll(async () => {
  await browser?.close()
  await ledger?.close()
})

/** A page that notes what goes wrong in it, and that it asks nobody but the ledger. */
const open = async (path: string, colorScheme: "light" | "dark" = "light") => {
  const page = await browser.newPage({ colorScheme, viewport: { width: 1250, height: 900 } })
  const problems: Array<string> = []
  page.on("console", (message) => message.type() === "error" && problems.push(message.text()))
  page.on("pageerror", (error) => problems.push(error.message))
  page.on("request", (request) => request.url().startsWith(ledger.origin) || problems.push(`asked ${request.url()}`))
  await page.goto(`${ledger.origin}${path}`)
  return { page, problems }
}

/** What axe finds wrong, as `rule: element`. */
const accessibilityProblems = async (page: Page): Promise<ReadonlyArray<string>> => {
  // The pages run no foreign script, so axe is brought in past their policy.
  const session = await page.context().newCDPSession(page)
  await session.send("Runtime.evaluate", { expression: axe })
  const { result } = await session.send("Runtime.evaluate", {
    expression: `axe.run().then(({ passes, violations }) => JSON.stringify({
      passed: passes.length,
      problems: violations.flatMap((rule) => rule.nodes.map((node) => rule.id + ": " + node.html.slice(0, 120)))
    }))`,
    awaitPromise: true
  })
  const { passed, problems } = JSON.parse(String(result.value))
  assert.isAbove(passed, 5, "axe looked at the page")
  return problems
}

describe("the dashboard", () => {
  it("shows the records, their outcomes, and data only as text", async () => {
    const { page, problems } = await open("/xase/records")
    assert.strictEqual(await page.locator("tbody tr").count(), 40)
    assert.include(await page.locator(".number").first().innerText(), "40")
    assert.strictEqual(await page.locator("tbody").getByText(nasty).count(), 1)
    assert.strictEqual(await page.title(), "Records · Xase ledger")
    assert.strictEqual(await page.getByRole("img", { name: /credit_v4: / }).count(), 1)
    assert.deepStrictEqual(problems, [])
    await page.screenshot({ path: join(artifacts, "records.png") })
    await page.close()
  })

  it("filters by policy, outcome, time and words, with the keyboard alone", async () => {
    const { page } = await open("/xase/records")
    await page.getByLabel("Policy").focus()
    await page.getByLabel("Policy").selectOption("fraud_v2")
    await page.getByLabel("Outcome").selectOption("APPROVED")
    await page.getByLabel("Time").selectOption("hour")
    await page.getByRole("button", { name: "Filter" }).press("Enter")
    await page.waitForURL(/policy=fraud_v2/)
    const expected = Array.from({ length: 40 }, (_, n) => shapeOf(n)).filter(
      ({ output, policy }) => policy === "fraud_v2" && output.decision === "APPROVED"
    )
    assert.strictEqual(await page.locator("tbody tr").count(), expected.length)
    assert.strictEqual(await page.getByLabel("Policy").inputValue(), "fraud_v2")
    await page.goto(`${ledger.origin}/xase/records?search=${ids[7]}`)
    assert.strictEqual(await page.locator("tbody tr").count(), 1)
    await page.close()
  })

  it("turns a record red, without a reload, when it is tampered with", async () => {
    const { page } = await open("/xase/records")
    const id = ids[38] ?? ""
    const row = page.locator("tbody tr", { hasText: id })
    assert.include(await row.innerText(), "verified")
    await ledger.tamper({ type: "edit", transactionId: id, field: "confidence", value: 0.99 })
    await row.getByText("tampered").waitFor()
    // Exactly: a row whose time ends in 1 reads "...1 tampered" too.
    await page.getByText("1 tampered", { exact: true }).waitFor()
    await page.screenshot({ path: join(artifacts, "tampered.png") })
    await page.close()
  })
})

describe("a record and its receipt", () => {
  it("are reached from the table; the browser computes the verdict itself", async () => {
    const { page, problems } = await open("/xase/records")
    await page.getByRole("link", { name: ids[10] ?? "" }).click()
    await page.getByRole("heading", { name: ids[10] ?? "" }).waitFor()
    assert.strictEqual(await page.locator("pre").count(), 3)
    assert.strictEqual(
      await page
        .getByRole("img", {
          name: "The record before has the hash that this record follows; the next record follows this one."
        })
        .count(),
      1
    )
    await page.screenshot({ path: join(artifacts, "record.png"), fullPage: true })
    await page.getByRole("link", { name: "Public receipt" }).click()
    await page.getByText("Verified here: your browser computed").waitFor()
    assert.strictEqual(await page.locator("pre").count(), 0)
    assert.deepStrictEqual(problems, [])
    await page.screenshot({ path: join(artifacts, "receipt.png") })
    await page.close()
  })

  it("the browser notices a record hash that is not made of its parts", async () => {
    const id = ids[20] ?? ""
    await ledger.tamper({ type: "edit", transactionId: id, field: "inputHash", value: `sha256:${"0".repeat(64)}` })
    const { page } = await open(`/xase/receipt/${id}`)
    await page.getByText("Your browser computed another record hash").waitFor()
    assert.match((await page.locator("#verdict").getAttribute("class")) ?? "", /bad/)
    await page.screenshot({ path: join(artifacts, "receipt-tampered.png") })
    await page.close()
  })

  it("the first record has a receipt too, and an unknown one a page that says so", async () => {
    const first = await open(`/xase/receipt/${ids[0]}`)
    await first.page.getByText("Verified here").waitFor()
    const unknown = await open("/xase/receipt/txn_nope")
    await unknown.page.getByText("has no record").waitFor()
    await first.page.close()
    await unknown.page.close()
  })
})

describe("the report of an audit", () => {
  const report = async (change: (html: string) => string = (html) => html) => {
    const folder = mkdtempSync(join(tmpdir(), "xase-report-"))
    const out = join(folder, "out")
    const settings = { XASE_API_KEY: ledger.apiKey, XASE_BASE_URL: ledger.baseUrl }
    await runCommand(["audit", "--payloads", "--out", out], settings)
    const path = join(out, "audit-report.html")
    writeFileSync(path, change(readFileSync(path, "utf8")))
    const page = await browser.newPage({ viewport: { width: 1250, height: 900 } })
    const problems: Array<string> = []
    page.on("console", (message) => message.type() === "error" && problems.push(message.text()))
    page.on("request", (request) => request.url().startsWith("file:") || problems.push(`asked ${request.url()}`))
    await page.goto(`file://${path}`)
    return { page, problems, folder }
  }

  it("opens from a file and computes everything again; what was tampered with is named in it", async () => {
    const { folder, page, problems } = await report()
    await page.getByText("Computed here").waitFor()
    assert.include(await page.locator("#computed").innerText(), "each named below")
    assert.strictEqual(await page.getByRole("cell", { name: /0.99 in the ledger/ }).count(), 1)
    assert.deepStrictEqual(problems, [])
    assert.deepStrictEqual(await accessibilityProblems(page), [])
    await page.screenshot({ path: join(artifacts, "report.png"), fullPage: true })
    await page.close()
    rmSync(folder, { recursive: true })
  })

  it("notices that a hash in it was changed after the audit", async () => {
    const { folder, page } = await report((html) =>
      html.replace(/sha256:[0-9a-f]/, (text) => `${text.slice(0, -1)}${text.endsWith("0") ? "1" : "0"}`)
    )
    await page.getByText("This report is not whole").waitFor()
    await page.close()
    rmSync(folder, { recursive: true })
  })
})

describe("accessibility", () => {
  for (const scheme of ["light", "dark"] as const) {
    for (const path of ["/xase/records", "/xase/records/ID", "/xase/receipt/ID", "/xase/receipt/txn_nope"]) {
      it(`axe finds nothing wrong with ${path} in ${scheme}`, async () => {
        const { page } = await open(path.replace("ID", ids[10] ?? ""), scheme)
        assert.deepStrictEqual(await accessibilityProblems(page), [])
        await page.close()
      })
    }
  }
})
