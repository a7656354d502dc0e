"use strict";
// The live page. Whatever comes from the API reaches the document as text only, never as markup.

const WORDS = {
  en: {
    fleet: "Fleet", incidents: "Open incidents", orders: "Open work orders", complaints: "Recent complaints",
    token_ask: "This console needs an access token", token_go: "Enter", token_bad: "This token was not accepted.",
    token_kept: "It is kept in this tab only.", other_language: "中文", live: "live", polling: "polling", lost: "no connection",
    commands_on: "commands allowed", commands_off: "commands stopped", as_of: "as of", link: "Link", state: "State",
    piles: "piles", heard: "last heard", never: "never", no_incidents: "No open incident. All quiet.",
    no_orders: "Nobody has to drive.", no_complaints: "No complaint yet.", no_piles: "No pile is registered yet.",
    connector: "connector", faults: "Faults", verdicts: "Verdicts", plan: "Plan", attempts: "Attempts", refusals: "Held back", unverified: "Unverified facts of this model",
    timeline: "Timeline", next_look: "next look", step: "step", times: "times", no_attempts: "Nothing was tried yet.",
    under_way: "under way", order: "Work order", reason: "Reason", evidence: "Evidence", parts: "Likely parts",
    safety_notes: "Safety", clocks: "Clocks", visits: "Visits", due: "due", met: "met", breached: "breached", team: "team",
    degraded: "Degraded", unavailable: "Complaints cannot be taken now", unreachable: "The daemon does not answer; what is shown is old.", unreadable: "The database cannot be read now; what is shown is old.",
    more: "Only the newest are shown.", more_sites: "Only the first sites are shown.", unregistered: "not registered",
    accept: "accept by", on_site: "on site by", evidence_of: "evidence", safety: "safety", wakes: "looked at again",
    ago: "{} ago", ahead: "in {}", now: "now", hidden: "(shown to agents)", loading: "loading…", failed_load: "could not be read",
    opened: "opened", complaints_here: "complaints", confidence: "confidence", answer: "answer of the pile",
  },
  zh: {
    fleet: "充电桩总览", incidents: "未结事件", orders: "未结工单", complaints: "最近投诉",
    token_ask: "访问控制台需要令牌", token_go: "进入", token_bad: "令牌无效。",
    token_kept: "令牌只保存在当前标签页。", other_language: "English", live: "实时", polling: "轮询", lost: "连接中断",
    commands_on: "允许下发命令", commands_off: "已停止下发命令", as_of: "数据时间", link: "通信", state: "状态",
    piles: "台", heard: "最近上报", never: "从未", no_incidents: "没有未结事件,一切正常。",
    no_orders: "无需派人到场。", no_complaints: "还没有投诉。", no_piles: "还没有登记充电桩。",
    connector: "枪", faults: "故障", verdicts: "核对结论", plan: "预案", attempts: "远程恢复尝试", refusals: "暂缓原因", unverified: "该机型未经核实的资料",
    timeline: "时间线", next_look: "下次检查", step: "步骤", times: "次", no_attempts: "尚未尝试恢复。",
    under_way: "进行中", order: "工单", reason: "原因", evidence: "依据", parts: "可能需要的配件",
    safety_notes: "安全提示", clocks: "时限", visits: "现场记录", due: "截止", met: "已按时", breached: "已超时", team: "班组",
    degraded: "功能降级", unavailable: "暂时无法受理投诉", unreachable: "服务没有响应,当前显示的是旧数据。", unreadable: "暂时无法读取数据库,当前显示的是旧数据。",
    more: "仅显示最新的部分。", more_sites: "仅显示前面的场站。", unregistered: "未登记",
    accept: "接单", on_site: "到场", evidence_of: "依据", safety: "安全", wakes: "再次检查",
    ago: "{}前", ahead: "{}后", now: "刚刚", hidden: "(客服可见)", loading: "读取中…", failed_load: "读取失败",
    opened: "开始", complaints_here: "投诉", confidence: "可信度", answer: "设备应答",
  },
};

// Values of the API in Chinese; in English they are shown with blanks for underscores.
const VALUES_ZH = {
  online: "在线", offline: "离线", unknown: "未知", hazard: "安全隐患", faulted: "故障", in_use: "使用中", unavailable: "停用",
  available: "空闲", observing: "观察中", held: "暂缓", recovering: "远程恢复中", probation: "稳定性观察", desk: "待人工处理",
  field: "现场处理", confirming: "回访确认", closed: "已关闭", issued: "已派单", accepted: "已接单", en_route: "在途",
  on_site: "已到场", waiting: "等待中", done: "已完成", recalled: "已撤回", returned: "已退回", passed: "通过", failed: "失败",
  refused: "被拒绝", confirmed: "已证实", contradicted: "与数据不符", blind: "无法核实", remote_failed: "远程恢复失败",
  forbidden_safety: "安全原因禁止远程操作", physical_damage: "物理损坏", no_remote_channel: "无远程通道",
  unknown_outcome: "结果不明", desk_decision: "人工决定", low: "低", normal: "普通", high: "高", critical: "紧急",
  ordinary: "普通", escalated: "升级", major: "重大", received: "已受理", in_progress: "处理中", routed: "已转派",
  resolved: "已解决", technical_fault: "技术故障", billing_dispute: "计费争议", service_experience: "服务体验", safety: "安全",
  app_issue: "应用问题", consult: "咨询", suggestion: "建议", wont_start: "无法启动", stops_midway: "中途停止",
  display_error: "屏幕异常", connector_stuck: "枪卡住", payment_failed: "支付失败", overcharged: "多扣费",
  not_refunded: "未退款", slow_charging: "充电慢", blocked_bay: "车位被占", cleanliness: "卫生", smoke_fire: "冒烟起火",
  electric_shock: "触电", other: "其他", report: "读取状态", pull_log: "拉取日志", set_availability: "设置可用性",
  stop_session: "停止充电", unlock: "解锁", reset_soft: "软复位", reset_hard: "硬复位", power_cycle: "断电重启",
  damage: "损坏", hardware: "硬件", internal: "控制器", unresponsive: "无响应", connector_lock: "枪锁", session_stuck: "会话卡滞",
  thermal: "过热", supply: "供电", user_side: "用户侧", flapping: "反复", reported: "用户反映", app: "应用", hotline: "热线",
  chat: "在线客服", email: "邮件", partner: "合作方", social: "社交平台", regulator: "监管", qr: "扫码", csv: "批量", mqtt: "MQTT",
  rest: "接口", kill_switch: "总开关", plan_mode: "预案模式", silence: "维护静默", link: "通信", stale: "数据过期",
  session: "充电会话", firmware: "固件升级", out_of_service: "停用", outage: "大面积故障", minimum_available: "最低可用数",
  storm: "故障风暴", busy: "正在处理", spacing: "间隔不足", strikes: "次数上限", breaker: "熔断", site_budget: "场站限额",
  fleet_budget: "全网限额", approval: "待审批", second_look: "发送前复核", unregistered: "未登记", accept: "接单", depart: "出发",
  arrive: "到场", wait: "等待", return: "退回", incomplete: "未完成", ok: "正常",
};

const VALUES_EN = { wont_start: "won't start", app_issue: "app issue", qr: "QR code", csv: "CSV", mqtt: "MQTT", rest: "REST" };

const TONES = {
  good: "online available passed done accepted resolved confirmed",
  busy: "in_use recovering probation observing en_route on_site issued received in_progress confirming",
  warn: "unknown held desk waiting blind routed escalated high unavailable field refused returned",
  bad: "offline faulted hazard failed critical major safety breached",
};
const tone = (value) => Object.keys(TONES).find((name) => TONES[name].split(" ").includes(value)) || "";

const STREAM_RETRY_MS = 3000, POLL_MS = 5000, CALM_POLL_MS = 30000, SETTLE_MS = 700, PATIENCE_MS = 15000;
const view = { board: null, ready: null, stale: "", skew: 0, open: new Set(), details: new Map(), streaming: false };
let language = stored(() => localStorage.getItem("triage.language")) || document.documentElement.lang;
if (!WORDS[language]) language = "en";

function stored(read) { try { return read(); } catch { return null; } }
const t = (key) => WORDS[language][key];
const say = (value) => value == null ? "" : (language === "zh" ? VALUES_ZH : VALUES_EN)[value] || String(value).replaceAll("_", " ");
const $ = (id) => document.getElementById(id);

function h(tag, look, ...children) {
  const made = document.createElement(tag);
  if (look) made.className = look;
  for (const child of children.flat()) if (child != null && child !== "") made.append(child);
  return made;
}
const pill = (value, force) => h("span", `pill ${force || tone(value)}`, say(value));
const faint = (...children) => h("span", "faint", ...children);

// Ages ---------------------------------------------------------------------------------------------------------------
function age(at) {
  const made = h("time", "", "");
  made.dateTime = at;
  made.title = new Date(at).toLocaleString(language);
  made.textContent = ageText(at);
  return made;
}
function ageText(at) {
  const seconds = Math.round((Date.now() + view.skew - Date.parse(at)) / 1000);
  const size = Math.abs(seconds);
  if (size < 2) return t("now");
  const zh = language === "zh";
  const units = [[86400, zh ? " 天" : " d"], [3600, zh ? " 小时" : " h"], [60, zh ? " 分钟" : " min"], [1, zh ? " 秒" : " s"]];
  const [length, unit] = units.find(([each]) => size >= each);
  return t(seconds >= 0 ? "ago" : "ahead").replace("{}", Math.floor(size / length) + unit);
}
function tick() { for (const each of document.querySelectorAll("time")) each.textContent = ageText(each.dateTime); }

// The fleet ----------------------------------------------------------------------------------------------------------
function bar(counts, total) {
  const made = h("div", "bar");
  for (const [name, count] of Object.entries(counts)) {
    if (!count) continue;
    const part = h("span", name === "unknown" ? "" : tone(name));
    part.style.width = `${(100 * count) / total}%`;
    made.append(part);
  }
  return made;
}
function figure(name, counts, total) {
  const parts = Object.entries(counts).filter(([, count]) => count);
  const legend = h("div", "legend", parts.map(([value, count]) => h("span", value === "unknown" ? "" : tone(value), h("b", "", String(count)), " ", say(value))));
  return h("div", "card", h("div", "spread", h("span", "strong", t(name)), faint(`${total} ${t("piles")}`)), bar(counts, total), legend);
}
function tile(site) {
  const off = site.link.offline ? h("span", "bad", `${site.link.offline} ${say("offline")}`) : "";
  const bad = ["hazard", "faulted"].filter((name) => site.state[name]).map((name) => h("span", "bad", `${site.state[name]} ${say(name)}`));
  const heard = site.heard_at ? age(site.heard_at) : t("never");
  return h("div", `card tile${site.trouble ? " trouble" : ""}`,
    h("div", "spread", h("span", "strong", site.site), faint(`${site.piles}`)),
    bar(site.state, site.piles),
    h("div", "legend", bad, off), h("div", "faint", site.region, " · ", heard));
}
function showFleet(fleet) {
  $("as-of").replaceChildren(t("as_of"), " ", age(fleet.as_of));
  if (!fleet.piles) { $("figures").replaceChildren(h("div", "card quiet", t("no_piles"))); $("sites").replaceChildren(); return; }
  $("figures").replaceChildren(figure("link", fleet.link, fleet.piles), figure("state", fleet.state, fleet.piles));
  const tiles = fleet.sites.map(tile);
  if (fleet.sites_total > fleet.sites.length) tiles.push(h("div", "card tile faint", t("more_sites")));
  if (fleet.unregistered) tiles.push(h("div", "card tile warn", `${fleet.unregistered} ${t("unregistered")}`));
  $("sites").replaceChildren(...tiles);
}

// Incidents ----------------------------------------------------------------------------------------------------------
function part(title, items) { return items.length ? [h("h3", "", title), h("ul", "", items)] : []; }
function named(thing) { // what a reporter called the pile may be anything
  return h("bdi", "", thing.pile || (thing.pile_text || "–").slice(0, 80));
}
function where(thing) {
  const gun = thing.connector ? ` · ${t("connector")} ${thing.connector}` : "";
  return h("span", "strong", named(thing), gun);
}
function attemptItem(each) {
  const result = each.result ? pill(each.result) : h("span", "pill busy", t("under_way"));
  const lines = (each.evidence || []).map((seen) => h("p", "", `${say(seen.kind)}: ${seen.text} · `, age(seen.at)));
  const answer = each.answer ? h("p", "", `${t("answer")}: ${say(each.answer)}${each.answer_reason ? `: ${each.answer_reason}` : ""}`) : "";
  return h("li", "", h("div", "line", h("span", "strong", say(each.action)), faint(`${t("step")} ${each.step}`), result, faint(age(each.sent_at))),
    each.reason ? h("p", "", each.reason) : "", answer, lines);
}
function refusalItem(each) {
  const count = each.count > 1 ? faint(`× ${each.count}`) : "";
  return h("li", "", h("div", "line", pill(each.gate, "warn"), count, faint(age(each.at))),
    h("p", "", `${each.reason} · ${t("next_look")} `, age(each.next_look_at)));
}
function verdictItem(each) {
  return h("li", "", h("div", "line", h("span", "mono", each.complaint), pill(each.verdict), faint(`${t("confidence")} ${Math.round(100 * each.confidence)} %`)), h("p", "", each.why));
}
function timelineItem(each) {
  return h("li", "", h("div", "line", faint(age(each.at)), faint(each.actor)), h("p", "", each.text));
}
function incidentInside(it, full) {
  const plan = it.plan ? [h("h3", "", t("plan")), h("p", "", `${it.plan.plan} v${it.plan.version} · ${t("step")} ${it.plan.step + 1}`)] : [];
  const tried = it.attempts.length ? part(t("attempts"), it.attempts.map(attemptItem)) : [h("h3", "", t("attempts")), h("p", "faint", t("no_attempts"))];
  const order = it.work_order ? [h("h3", "", t("order")), h("p", "mono", it.work_order)] : [];
  return [part(t("faults"), it.faults.map((each) => h("li", "mono", each))), part(t("verdicts"), it.verdicts.map(verdictItem)), plan, tried,
    part(t("refusals"), it.refusals.map(refusalItem)), order, doubts(full), history(full)];
}
function doubts(full) { // what the pile's profile takes from sources that nobody has checked
  const found = full && full.dialect ? full.dialect.unverified : [];
  return part(t("unverified"), found.map((each) => h("li", "faint", each)));
}
function history(full) {
  if (!full) return [h("h3", "", t("timeline")), h("p", "faint", t("loading"))];
  if (full.failed) return [h("h3", "", t("timeline")), h("p", "faint", t("failed_load"))];
  return part(t("timeline"), full.timeline.map(timelineItem));
}
function incidentCard(it) {
  const held = it.refusals[it.refusals.length - 1];
  const wait = it.state === "held" && held ? h("div", "faint", `${say(held.gate)}: ${held.reason} · ${t("next_look")} `, age(held.next_look_at)) : "";
  const wakes = it.wake_at ? [` · ${t("wakes")} `, age(it.wake_at)] : [];
  const people = it.complaints.length ? faint(`${t("complaints_here")}: ${it.complaints.length}`) : "";
  const head = h("summary", "",
    h("div", "spread", h("div", "line", where(it), it.safety ? pill("safety", "bad") : "", people), pill(it.state)),
    h("div", "", it.summary || it.desk_reason || `${say(it.family)} ${it.faults.join(", ")}`), wait,
    h("div", "faint", `${it.site} · ${say(it.family)} · ${t("opened")} `, age(it.opened_at), wakes));
  return folding(`incidents/${it.id}`, head, (full) => incidentInside(it, full));
}

// Work orders and complaints -----------------------------------------------------------------------------------------
function clockLine(clock) {
  const late = clock.breached_at || (!clock.met_at && Date.parse(clock.due_at) < Date.now() + view.skew);
  const state = late ? h("span", "pill bad", t("breached")) : clock.met_at ? h("span", "pill good", t("met")) : "";
  return h("li", "", h("div", "line", h("span", "", t(clock.name) || say(clock.name)), faint(`${t("due")} `, age(clock.due_at)), state));
}
function visitItem(each) {
  const told = [each.reason, each.cause, each.work, (each.parts || []).join(", ")].filter(Boolean).join(" · ");
  return h("li", "", h("div", "line", h("span", "strong", say(each.act)), faint(each.by), faint(age(each.at))), told ? h("p", "", told) : "");
}
function orderInside(it, full) {
  const lines = (items) => items.map((each) => h("li", "", each));
  return [part(t("safety_notes"), lines(it.safety_notes)), part(t("evidence"), lines(it.evidence)), part(t("parts"), lines(it.parts_guess)),
    part(t("visits"), it.visits.map(visitItem)), history(full)];
}
function orderCard(it) {
  const head = h("summary", "",
    h("div", "spread", h("div", "line", where(it), it.priority === "normal" ? "" : pill(it.priority)), pill(it.state)),
    h("div", "", h("span", "strong", say(it.reason.code)), it.reason.text ? `: ${it.reason.text}` : ""),
    h("div", "faint", `${it.id} · ${t("team")} ${it.team || "–"} · ${t("opened")} `, age(it.opened_at)));
  const made = folding(`work-orders/${it.id}`, head, (full) => orderInside(it, full));
  if (it.clocks.length) head.append(h("div", "inside", h("ul", "", it.clocks.map(clockLine))));
  return made;
}
function complaintCard(it) {
  const words = it.text === undefined ? h("div", "faint", t("hidden")) : h("div", "words", it.text);
  const verdict = it.verdict ? pill(it.verdict) : "";
  const grade = it.grade === "ordinary" ? "" : pill(it.grade);
  return h("div", "card", h("div", "spread", h("div", "line", h("span", "mono", it.number), it.safety ? pill("safety", "bad") : "", grade, verdict), pill(it.status)),
    h("div", "", `${say(it.category)} · ${say(it.symptom)}`), words,
    h("div", "faint", named(it), ` · ${say(it.channel)} · `, age(it.received_at)));
}

// A card that unfolds; its timeline is read when it is opened.
function folding(path, head, fill) {
  const inside = h("div", "inside");
  const card = h("details", "card", head, inside);
  const draw = () => inside.replaceChildren(...fill(view.details.get(path)).flat(2));
  card.open = view.open.has(path);
  if (card.open) draw();
  card.addEventListener("toggle", () => {
    if (!card.open) { view.open.delete(path); view.details.delete(path); return; }
    if (view.open.has(path)) return; // drawn open, not opened by hand
    view.open.add(path);
    draw();
    readDetail(path).then(() => card.isConnected && card.open && draw());
  });
  return card;
}
async function readDetail(path) {
  try { view.details.set(path, await read(`/api/v1/${path}`)); } catch { view.details.set(path, { failed: true }); }
}

// Drawing ------------------------------------------------------------------------------------------------------------
function stack(id, items, card, empty, more) {
  $(`n-${id}`).textContent = items.length ? String(items.length) + (more ? "+" : "") : "";
  const cards = items.map(card);
  if (!cards.length) cards.push(h("div", "card quiet", empty));
  if (more) cards.push(h("div", "faint", t("more")));
  $(id).replaceChildren(...cards);
}
function showBanners() {
  const banners = [];
  const ready = view.ready;
  if (view.stale) banners.push(h("p", "banner bad", t(view.stale)));
  if (ready && ready.status === "unavailable") banners.push(h("p", "banner bad", t("unavailable")));
  for (const name of (ready && ready.degraded) || []) banners.push(h("p", "banner", `${t("degraded")}: ${name} – ${ready.parts[name]}`));
  $("banners").replaceChildren(...banners);
}
function showStatus() {
  const [words, look] = view.stale === "unreachable" ? ["lost", "bad"] : view.streaming ? ["live", "good"] : ["polling", "warn"];
  $("live").className = `pill ${look}`;
  $("live").textContent = view.board || view.stale ? t(words) : "";
  const why = view.board && view.board.fleet.kill_switch;
  $("switch").className = `pill ${why == null ? "" : "bad"}`;
  $("switch").textContent = !view.board ? "" : why == null ? t("commands_on") : `${t("commands_off")}: ${why}`;
}
function draw() {
  document.documentElement.lang = language;
  for (const each of document.querySelectorAll("[data-t]")) each.textContent = t(each.dataset.t);
  $("language").textContent = t("other_language");
  $("language").lang = language === "zh" ? "en" : "zh";
  showStatus();
  showBanners();
  if (!view.board) return;
  const focus = document.activeElement && document.activeElement.closest ? document.activeElement.closest("details") : null;
  const at = focus ? [...document.querySelectorAll("details")].indexOf(focus) : -1;
  $("board").hidden = false;
  showFleet(view.board.fleet);
  stack("incidents", view.board.incidents, incidentCard, t("no_incidents"), view.board.more_incidents);
  stack("orders", view.board.work_orders, orderCard, t("no_orders"), view.board.more_work_orders);
  stack("complaints", view.board.complaints, complaintCard, t("no_complaints"), false);
  const again = at >= 0 ? document.querySelectorAll("details")[at] : null;
  if (again) again.querySelector("summary").focus({ preventScroll: true });
}

// Reading ------------------------------------------------------------------------------------------------------------
class Locked extends Error {}
function headers() {
  const token = stored(() => sessionStorage.getItem("triage.token"));
  return token ? { Authorization: `Bearer ${token}` } : {};
}
async function read(path, ok = (status) => status < 400) {
  const answer = await fetch(path, { headers: headers(), cache: "no-store", signal: AbortSignal.timeout(PATIENCE_MS) });
  if (answer.status === 401 || answer.status === 429) throw new Locked(String(answer.status));
  if (!ok(answer.status)) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}
function askToken(wrong) {
  view.board = null;
  $("board").hidden = true;
  $("token").hidden = false;
  $("token-note").className = wrong ? "bad" : "faint";
  $("token-note").textContent = wrong ? t("token_bad") : t("token_kept");
  draw();
}
const locked = () => document.body.dataset.tokenNeeded === "yes" && !headers().Authorization;

let reading = null, again = false, settling = false;
function refresh() {
  if (reading) { again = true; return reading; }
  reading = readAll().finally(() => { reading = null; if (again) { again = false; settle(); } });
  return reading;
}
function settle() { // a steady stream of changes must not put the reading off for ever
  if (settling) return;
  settling = true;
  setTimeout(() => { settling = false; refresh(); }, SETTLE_MS);
}
async function readAll() {
  if (locked()) { askToken(false); return; }
  try {
    view.ready = null;
    view.ready = await read("/readyz", (status) => status < 400 || status === 503);
    const board = await read("/api/v1/board");
    Object.assign(view, { board, stale: "", skew: Date.parse(board.fleet.as_of) - Date.now() });
    $("token").hidden = true;
    await Promise.all([...view.open].map(readDetail));
  } catch (error) {
    if (error instanceof Locked) { stored(() => sessionStorage.removeItem("triage.token")); askToken(true); return; }
    view.stale = view.ready ? "unreadable" : "unreachable";
  }
  draw();
}

// EventSource cannot carry a token, so the stream is read by hand.
async function follow() {
  if (locked() || !view.board) return;
  const answer = await fetch("/api/v1/events", { headers: headers(), cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  view.streaming = true;
  refresh();
  const decoder = new TextDecoder();
  const reader = answer.body.getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const frames = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = frames.pop().slice(-65536);
    if (frames.some((frame) => frame.startsWith("event: "))) settle();
  }
}
async function stream() {
  for (;;) {
    try { await follow(); } catch { /* polling goes on */ }
    if (view.streaming) { view.streaming = false; draw(); }
    await new Promise((next) => setTimeout(next, STREAM_RETRY_MS));
  }
}
async function poll() {
  for (;;) {
    await new Promise((next) => setTimeout(next, view.streaming ? CALM_POLL_MS : POLL_MS));
    if (!document.hidden && !locked()) await refresh();
  }
}

$("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  stored(() => localStorage.setItem("triage.language", language));
  draw();
});
$("token").addEventListener("submit", (event) => {
  event.preventDefault();
  stored(() => sessionStorage.setItem("triage.token", $("token-text").value.trim()));
  $("token-text").value = "";
  refresh();
});
document.addEventListener("visibilitychange", () => document.hidden || refresh());
draw();
refresh().finally(() => { stream(); poll(); setInterval(tick, 1000); });
