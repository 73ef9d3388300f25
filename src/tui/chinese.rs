//! What a run says, in Chinese: events, reasons of health, verdicts of checks and what the inspector shows are made in
//! English below the screen, and have their twins here. What Redis itself says stays as it is.
//!
//! A twin is found by the shape of the English text; `tests/tidy/twins.rs` reads the sources for a text without one.

use std::sync::OnceLock;

use super::words::{Said, said};
use crate::scenario::lesson::Lang;

/// Events, and reasons of health.
pub const EVENTS: &[Said] = &[
    said("writes its configuration file anew", "重写自己的配置文件"),
    said(
        "the deployment is formed: all nodes agree, every replica is in sync",
        "部署已组成：所有节点意见一致，每个从节点都已同步",
    ),
    said(
        "the scenario begins: its nodes start, and only its steps bring them together",
        "场景开始：节点启动，只有后面的步骤才会把它们连成集群",
    ),
    said("starts (pid {0})", "启动（pid {0}）"),
    said("starts again (pid {0})", "再次启动（pid {0}）"),
    said("accepts connections on port {0}", "在端口 {0} 接受连接"),
    said("is killed (kill -9)", "被杀死（kill -9）"),
    said("exits with code {0}", "退出，退出码 {0}"),
    said("loses power", "断电"),
    said("is paused: it neither reads nor answers", "被暂停：不读也不答"),
    said("runs again after the pause", "暂停之后继续运行"),
    said("is busy for {0} ({1})", "忙 {0}（{1}）"),
    said("packets from {0} to {1} are dropped from now on", "从现在起，{0} 发给 {1} 的报文都被丢弃"),
    said("packets from {0} to {1} arrive again", "{0} 发给 {1} 的报文又能到达"),
    said("has its clock moved by {0} ms", "时钟被拨动 {0} ms"),
    said("is sent {0}", "收到命令 {0}"),
    said("is sent {0}, answers {1}", "收到命令 {0}，回答 {1}"),
    said("has no nodes.conf and takes a new id, {0}", "没有 nodes.conf，取一个新 ID：{0}"),
    said("reads its nodes.conf, id {0}", "读入自己的 nodes.conf，ID {0}"),
    said("forgets everything and takes a new id, {0}", "忘掉一切，取一个新 ID：{0}"),
    said("loads {0} from its disk in {1} ms", "用 {1} ms 从磁盘载入 {0}"),
    said("{0} key", "{0} 个键"),
    said("{0} keys", "{0} 个键"),
    said("{0} slot", "{0} 个槽"),
    said("{0} slots", "{0} 个槽"),
    said("{0} replica", "{0} 个从节点"),
    said("{0} replicas", "{0} 个从节点"),
    said(
        "holds keys of slot {0}, which nobody owns, and takes it",
        "有槽 {0} 的键，而这个槽没有主人，于是接管它",
    ),
    said(
        "holds keys of slot {0}, which another node owns: marks it as importing",
        "有槽 {0} 的键，而这个槽属于别的节点：标记为 importing",
    ),
    said("learns its own address, {0}", "得知自己的地址 {0}"),
    said("learns that {0} is at {1}:{2} now", "得知 {0} 现在的地址是 {1}:{2}"),
    said("begins a handshake with {0}:{1}", "开始与 {0}:{1} 握手"),
    said("learns that the node it met is {0}", "得知握手的对方是 {0}"),
    said("completes the handshake with {0}", "与 {0} 握手完成"),
    said("finds that it knows {0} already", "发现自己已经认识 {0}"),
    said("gives up a handshake that nobody answered", "放弃没有人回应的握手"),
    said("learns of {0} from {1}", "从 {1} 那里得知有 {0}"),
    said("forgets {0} and refuses it for a minute", "忘掉 {0}，一分钟之内不再接受它"),
    said("finds another node where {0} should be", "在 {0} 的地址上发现的是别的节点"),
    said("connects to {0}", "连接到 {0}"),
    said("cannot connect to {0}: refused", "连不上 {0}：被拒绝"),
    said("loses a bus connection with {0}", "与 {0} 的总线连接断开"),
    said("drops its silent connection to {0}, to open a new one", "断开与 {0} 之间没有动静的连接，准备重连"),
    said("accepts a bus connection from {0}:{1}", "接受来自 {0}:{1} 的总线连接"),
    said("pings {0}, picked at random", "随机选中 {0}，向它发 PING"),
    said("sends {0} ({1} bytes) to {2}", "发送 {0}（{1} 字节）给 {2}"),
    said("receives {0} ({1} bytes) from {2}", "收到 {2} 的 {0}（{1} 字节）"),
    said("learns the hostname of {0}: {1}", "得知 {0} 的主机名：{1}"),
    said("gets no answer from {0}: PFAIL, its own opinion", "得不到 {0} 的回答：PFAIL，只是它自己的看法"),
    said("hears {0} again and drops its PFAIL", "又听到 {0}，撤销 PFAIL"),
    said("hears from {0} that {1} does not answer", "听 {0} 说 {1} 没有回答"),
    said("hears from {0} that {1} is back", "听 {0} 说 {1} 回来了"),
    said(
        "declares {0} FAIL: {1} of the masters agree, {2} needed",
        "宣布 {0} FAIL：{1} 个主节点同意，需要 {2} 个",
    ),
    said("is told by {0} that {1} is FAIL", "被 {0} 告知 {1} 已 FAIL"),
    said("ignores a stranger's word that {0} is FAIL", "不理会陌生节点所说的 {0} 已 FAIL"),
    said("a replica that answers again", "从节点又有回答了"),
    said("it answers again and has no slots", "它又有回答了，而且没有槽"),
    said("it answers again and nobody took its slots", "它又有回答了，而且没有人接管它的槽"),
    said("clears the FAIL of {0}: {1}", "撤销 {0} 的 FAIL：{1}"),
    said("says cluster_state:ok", "报告 cluster_state:ok"),
    said("says cluster_state:fail and refuses commands", "报告 cluster_state:fail，拒绝执行命令"),
    said(
        "will ask for votes in {0} ms (rank {1}, offset {2})",
        "将在 {0} ms 后请求投票（排名 {1}，偏移量 {2}）",
    ),
    said(
        "learns of a sibling with newer data: rank {0}, {1} ms more to wait",
        "得知有数据更新的兄弟：排名 {0}，再等 {1} ms",
    ),
    said("asks all masters for their vote in epoch {0}", "请求所有主节点在纪元 {0} 投票"),
    said("votes for {0} in epoch {1}", "在纪元 {1} 投票给 {0}"),
    said("refuses {0} its vote: {1}", "拒绝投票给 {0}：{1}"),
    said("gets the vote of {0}: {1} of {2} needed", "得到 {0} 的一票：{1}/{2}"),
    said("wins the election", "赢得选举"),
    said("wins the election of the manual failover", "赢得手动故障转移的选举"),
    said("wins the election of the forced failover", "赢得强制故障转移的选举"),
    said("takes over without an election", "不经选举就接管"),
    said("gets configEpoch {0}, that of its election", "得到 configEpoch {0}，即这次选举的纪元"),
    said("takes configEpoch {0} without asking", "不问别人，自取 configEpoch {0}"),
    said("has configEpoch {0} after importing slot {1}", "导入槽 {1} 之后 configEpoch 为 {0}"),
    said("is given configEpoch {0}", "被赋予 configEpoch {0}"),
    said("falls back to configEpoch 0", "configEpoch 退回 0"),
    said(
        "takes configEpoch {0}, because {1} has the same as it had",
        "改用 configEpoch {0}，因为 {1} 与它原来的相同",
    ),
    said("does not fail over: {0}", "不做故障转移：{0}"),
    said("begins a manual failover", "开始手动故障转移"),
    said("begins a failover without its master's help", "开始故障转移，不要主节点配合"),
    said("takes over without asking anybody", "不问任何人就接管"),
    said("holds back writes, because {0} asks to take over", "暂停写入，因为 {0} 请求接管"),
    said("learns where its master stopped: offset {0}", "得知主节点停在偏移量 {0}"),
    said("has all of its master's data and can take over", "已有主节点的全部数据，可以接管"),
    said("gives up the manual failover: it took too long", "放弃手动故障转移：时间太长"),
    said("is master now, with the slots of {0}", "成为主节点，接管 {0} 的槽"),
    said(
        "becomes a replica of {0}, which took its last slots",
        "成为 {0} 的从节点：最后几个槽归了那个主节点",
    ),
    said("follows {0}, the master of its master", "改为跟随 {0}，它的主节点的主节点"),
    said("moves to {0}, a master without a working replica", "转移到 {0}，那是没有可用从节点的主节点"),
    said("tells {0} that {1} owns the slots now", "告诉 {0}：这些槽现在归 {1}"),
    said("ignores an UPDATE about itself", "不理会关于自己的 UPDATE"),
    said("sees {0} of {1} with {2}", "看到 {1} 的 {0} 归了 {2}"),
    said("sees {0} with {1}", "看到 {0} 归 {1}"),
    said("sees {0} as a master", "看到 {0} 是主节点"),
    said("sees {0} as a replica", "看到 {0} 是从节点"),
    said("deletes {0} of a slot it lost", "删除已失去的槽里的 {0}"),
    said("loses the connection to its master", "与主节点的连接断开"),
    said("keeps what it knows of its master, to go on from there", "保留主节点的状态，以便接着同步"),
    said("connects to its master at {0}:{1}", "连接主节点 {0}:{1}"),
    said("starts a synchronisation", "开始同步"),
    said("is connected to its master", "已连上主节点"),
    said("cannot reach its master: {0}", "连不上主节点：{0}"),
    said("is answered by its master", "得到主节点的回应"),
    said("is turned away by its master: {0}", "被主节点拒绝：{0}"),
    said("asks to go on from offset {0}", "请求从偏移量 {0} 接着同步"),
    said("has nothing to go on from and asks for all data", "没有可接续的状态，请求全部数据"),
    said("gets all data anew (full resync at offset {0})", "重新获取全部数据（全量同步，偏移量 {0}）"),
    said("goes on where it was (partial resync)", "从中断处接着同步（部分同步）"),
    said(
        "goes on where it was, under a new master (partial resync)",
        "在新主节点之下从中断处接着同步（部分同步）",
    ),
    said("is refused by its master: {0}", "被主节点回绝：{0}"),
    said("receives the data as a stream", "以流的形式接收数据"),
    said("receives {0} bytes of data", "接收 {0} 字节数据"),
    said("throws its old data away", "丢弃旧数据"),
    said("loads the data", "载入数据"),
    said("has loaded its master's data", "已载入主节点的数据"),
    said("hears nothing from its master and drops the connection", "听不到主节点的动静，断开连接"),
    said("gives up connecting to its master: no answer", "放弃连接主节点：没有回答"),
    said("gives up the transfer: no data", "放弃传输：没有数据"),
    said("is asked by {0} for its data", "被 {0} 请求数据"),
    said("lets {0} go on: {1} bytes are missing", "让 {0} 接着同步：缺 {1} 字节"),
    said("must send {0} all data", "必须把全部数据发给 {0}"),
    said("waits a little for other replicas before it forks", "fork 之前稍等其他从节点"),
    said("makes the replica wait for the next fork", "让从节点等下一次 fork"),
    said("creates its replication backlog", "建立复制积压缓冲区"),
    said("frees its backlog: no replica for {0} s", "释放复制积压缓冲区：{0} s 没有从节点"),
    said("forks a child that sends the data", "fork 子进程发送数据"),
    said("forks a child that writes the data to disk", "fork 子进程把数据写到磁盘"),
    said("ends the child that wrote the data", "写数据的子进程结束"),
    said("kills the child that wrote the data", "杀掉写数据的子进程"),
    said("could not write its data: the child failed", "数据没写成：子进程失败"),
    said("forks a child for a dump file", "fork 子进程写 RDB 文件"),
    said("forks a child for its replicas", "fork 子进程给从节点发数据"),
    said("forks a child for a new append-only file", "fork 子进程写新的 AOF 文件"),
    said("has passed the data on to {0}", "已把数据转给 {0}"),
    said("makes the replica wait for another child to end", "让从节点等另一个子进程结束"),
    said("lets the replica share the dump that is being written", "让从节点共用正在写的 RDB"),
    said("makes the replica wait for the next dump", "让从节点等下一次 RDB"),
    said("is asked by {0} for what it has not written itself", "被 {0} 请求自己还没有写到的部分"),
    said("drops a replica: its child failed", "断开一个从节点：子进程失败"),
    said(
        "drops {0}: too much waits for it (output buffer limit)",
        "断开 {0}：等它读的数据太多（输出缓冲区限制）",
    ),
    said("connects to {0}:{1} again at once", "马上重连 {0}:{1}"),
    said("loses its master in the middle of the data", "传数据的中途失去主节点"),
    said("loses its master in the middle of the handshake", "握手的中途失去主节点"),
    said("cannot save its data: the disk is full", "数据保存不了：磁盘已满"),
    said("cannot save its data and does not end", "数据保存不了，所以不退出"),
    said("begins an append-only file", "开始写 AOF 文件"),
    said("rewrites its append-only file: {0}% growth", "重写 AOF 文件：增长了 {0}%"),
    said("has a new append-only file", "新的 AOF 文件已写好"),
    said("could not rewrite its append-only file", "AOF 文件没能重写"),
    said("writes its append-only file without waiting for the disk", "不等磁盘就写 AOF 文件"),
    said("cannot write its append-only file: the disk is full", "AOF 文件写不了：磁盘已满"),
    said("can write its append-only file again", "AOF 文件又能写了"),
    said("cannot note a write on its disk, and aborts", "写操作记不到磁盘，中止运行"),
    said("cannot note a write on its disk, and goes on", "写操作记不到磁盘，继续运行"),
    said("has no room on its disk any more", "磁盘没有空间了"),
    said("has room on its disk again", "磁盘又有空间了"),
    said("copies {0} to {1}", "把 {0} 复制到 {1}"),
    said("finds no {0} to copy", "没有 {0} 可复制"),
    said("has a disk that needs {0} more for each fsync", "磁盘每次 fsync 多用 {0}"),
    said(
        "loses {0} bytes of its append-only file that were not on the disk yet",
        "丢失 AOF 中还没落盘的 {0} 字节",
    ),
    said("has sent all data to {0}", "已把全部数据发给 {0}"),
    said("loses its replica {0}", "失去从节点 {0}"),
    said("drops its silent replica {0}", "断开没有动静的从节点 {0}"),
    said(
        "begins a new replication history; the old one is valid up to offset {0}",
        "开始新的复制历史；旧的到偏移量 {0} 为止有效",
    ),
    said("is told to follow {0}:{1}", "被要求跟随 {0}:{1}"),
    said("is told to be a master", "被要求当主节点"),
    said("stops writes, to hand over to {0}", "停止写入，准备移交给 {0}"),
    said("stops writes, to hand over to a replica", "停止写入，准备移交给某个从节点"),
    said("sees that {0} has all, and follows it", "看到 {0} 数据已齐，改为跟随它"),
    said("follows {0}, which has not confirmed all", "改为跟随 {0}，虽然它还没确认收齐"),
    said("stays the master: {0}", "仍然当主节点：{0}"),
    said("is asked by its master to take over", "主节点请它接管"),
    said("is told to follow the master it follows", "被要求跟随它已经在跟随的主节点"),
    said("forgets what it kept of its old master", "丢掉为旧主节点保留的状态"),
    said("hopes to go on from its own history", "想从自己的历史接着同步"),
    said("is asked to shut down", "被要求关闭"),
    said("waits for its replicas before it shuts down", "关闭之前等待从节点"),
    said("shuts down with {0} of {1} in sync", "关闭，{1} 中有 {0} 个已同步"),
    said("saves its data one last time", "最后一次保存数据"),
    said("has saved its data", "数据已保存"),
    said("says goodbye", "告别退出"),
    said("saves its data: at least {0} changes in {1} s", "保存数据：{1} s 内至少有 {0} 次修改"),
    said("accepts a write to slot {0}", "接受对槽 {0} 的写"),
    said("has its write to slot {0} accepted", "对槽 {0} 的写被接受"),
    said("refuses a write to slot {0}: {1}", "拒绝对槽 {0} 的写：{1}"),
    said("has its write to slot {0} refused: {1}", "对槽 {0} 的写被拒绝：{1}"),
    said("has write {0} to its key {1} acknowledged, slot {2}", "对键 {1} 的第 {0} 次写得到确认，槽 {2}"),
    said(
        "has no acknowledgement of write {0} to its key {1}, slot {2}: {3}",
        "对键 {1} 的第 {0} 次写没有得到确认，槽 {2}：{3}",
    ),
    said("prints {0}", "打印 {0}"),
    said("runs redis-cli {0}", "运行 redis-cli {0}"),
    said("is done with exit code {0}", "结束，退出码 {0}"),
    said("reads {0} from {1}", "从 {1} 读到 {0}"),
    said("it asks for epoch {0}, and epoch {1} has begun", "它请求的是纪元 {0}，而纪元 {1} 已经开始"),
    said("it has voted in epoch {0} already", "它在纪元 {0} 已经投过票"),
    said("the candidate is a master", "候选者是主节点"),
    said("it does not know the candidate's master", "它不认识候选者的主节点"),
    said("it does not hold the candidate's master for FAIL", "它不认为候选者的主节点已 FAIL"),
    said(
        "it voted about this master lately and will not for another {0} ms",
        "它不久前为这个主节点投过票，{0} ms 之内不再投",
    ),
    said(
        "slot {0} is served under configEpoch {1}, newer than the candidate's {2}",
        "槽 {0} 的 configEpoch 是 {1}，比候选者的 {2} 新",
    ),
    said(
        "its data is too old: it was cut off from its master for longer than cluster-replica-validity-factor allows",
        "数据太旧：与主节点断开的时间超过了 cluster-replica-validity-factor 允许的长度",
    ),
    said("its election delay has not passed", "选举前的等待时间还没过"),
    said("its attempt has expired", "这次尝试已过期"),
    said("a majority of votes is still missing", "还没有得到多数票"),
    said("sentinel {0}", "哨兵 {0}"),
    said("master {0} at {1}:{2}", "主节点 {0}（{1}:{2}）"),
    said("replica {0}", "从节点 {0}"),
    said("for {0} in epoch {1}", "在纪元 {1} 给 {0}"),
    said("{0} say so, quorum is {1}", "{0} 个哨兵这么说，quorum 是 {1}"),
    said("from {0}:{1} to {2}:{3}", "从 {0}:{1} 到 {2}:{3}"),
    said("{0} is at {1}:{2} now", "{0} 现在的地址是 {1}:{2}"),
    said("{0} more entries", "另有 {0} 项"),
    said("watches {0}", "监视 {0}"),
    said("watches {0} no more", "不再监视 {0}"),
    said("has a setting of {0} changed: {1}", "{0} 的设置被修改：{1}"),
    said("forgets all it knew of {0}", "忘掉关于 {0} 的一切"),
    said("learns of {0} of {1}", "得知 {1} 有 {0}"),
    said("learns of {0}", "得知有 {0}"),
    said("learns that sentinel {0}", "得知哨兵 {0}"),
    said("corrects the address of {0} in {1}", "更正 {0} 的地址：{1}"),
    said("forgets {0}: another has its address", "忘掉 {0}：它的地址归了别人"),
    said("sees that {0} was restarted", "发现 {0} 重启过"),
    said("sees that {0} is a {1} now", "看到 {0} 现在是 {1}"),
    said("master", "主节点"),
    said("replica", "从节点"),
    said("believes that {0} is down", "认为 {0} 已下线（主观）"),
    said("believes that {0} is up again", "认为 {0} 又上线了"),
    said("{0} is down by quorum: {1}", "{0} 客观下线：{1}"),
    said("{0} is not down by quorum any more", "{0} 不再是客观下线"),
    said("goes to epoch {0}", "进入纪元 {0}"),
    said("starts a failover of {0}", "开始 {0} 的故障转移"),
    said("votes {0}", "投票：{0}"),
    said("is elected to lead the failover of {0}", "当选，主持 {0} 的故障转移"),
    said("looks for the best replica of {0}", "为 {0} 挑选最好的从节点"),
    said("gives the failover of {0} up: not elected in time", "放弃 {0} 的故障转移：没有及时当选"),
    said("gives the failover of {0} up: no replica is good enough", "放弃 {0} 的故障转移：没有合格的从节点"),
    said(
        "gives the failover of {0} up: the replica was not promoted",
        "放弃 {0} 的故障转移：从节点没有升为主节点",
    ),
    said("chooses {0} to be the new master", "选定 {0} 当新主节点"),
    said("will tell {0} to be a master", "将让 {0} 当主节点"),
    said("has told {0} to be a master and waits for its INFO", "已让 {0} 当主节点，等它的 INFO"),
    said("sees that {0} is a master: the new configuration counts", "看到 {0} 已是主节点：新配置生效"),
    said("points the other replicas of {0} to the new master", "让 {0} 的其他从节点改跟新主节点"),
    said("tells {0} to follow the new master", "让 {0} 跟随新主节点"),
    said("sees that {0} is about to follow the new master", "看到 {0} 正要跟随新主节点"),
    said("sees that {0} is in sync with the new master", "看到 {0} 已与新主节点同步"),
    said("tells {0} to follow the new master, without waiting", "让 {0} 跟随新主节点，不再等待"),
    said("waits no more for {0}", "不再等 {0}"),
    said("ends the failover of {0}: it took too long", "结束 {0} 的故障转移：时间太长"),
    said("the failover of {0} is over", "{0} 的故障转移结束"),
    said("the master of {0} moves {1}", "{0} 的主节点改变：{1}"),
    said("takes a newer configuration of {0} from {1}", "从 {1} 得到 {0} 更新的配置"),
    said("makes {0} a replica again", "让 {0} 重新当从节点"),
    said("makes {0} follow the right master", "让 {0} 跟随正确的主节点"),
    said(
        "finds its own clock odd: it does not act for a while (TILT)",
        "发现自己的时钟不对劲：暂时不行动（TILT）",
    ),
    said("acts again after TILT", "TILT 结束，恢复行动"),
    said("runs {0}", "运行 {0}"),
    said("cannot connect to {0}", "连不上 {0}"),
    said("goes by the id {0}", "ID 是 {0}"),
    said("saves its configuration", "保存配置"),
    said("hears that {0} voted for {1} in epoch {2}", "听说 {0} 在纪元 {2} 投给了 {1}"),
    said(
        "will not try to fail {0} over before {1}: an attempt was made lately",
        "{1} 之前不再尝试 {0} 的故障转移：不久前才试过",
    ),
    said("is asked to fail {0} over", "被要求对 {0} 做故障转移"),
    said("will crash once it is elected", "一旦当选就崩溃"),
    said("will crash once a replica is promoted", "一旦有从节点升为主节点就崩溃"),
    said("crashes, as it was told to", "按要求崩溃"),
    said("has not answered", "没有回答"),
    said("says it is a replica", "自称是从节点"),
    said("was restarted and does not answer", "重启过，没有回答"),
    said("{0} {1} for {2} ms: more than {3}", "{0} {1}，已 {2} ms：超过 {3}"),
    said("{0} said so of {1} {2} ms ago", "{0} 在 {2} ms 前这样说过 {1}"),
    said("counts for {0}: itself, {1}", "关于 {0} 的计数：自己，{1}"),
    said("nobody", "没有别人"),
    said(
        "wants to lead {0} in epoch {1}: needs {2} of {3} votes",
        "想在纪元 {1} 主持 {0}：需要 {3} 票中的 {2} 票",
    ),
    said(
        "gives {0} no vote in epoch {1}: it voted for {2} in epoch {3}",
        "在纪元 {1} 不投 {0}：它在纪元 {3} 投了 {2}",
    ),
    said("gives {0} no vote in epoch {1}", "在纪元 {1} 不投 {0}"),
    said("begins no failover of {0} of its own for {1} ms", "{1} ms 之内自己不开始 {0} 的故障转移"),
    said("has {0} of {1} replicas of {2} to choose from", "{2} 的 {1} 个从节点中有 {0} 个可选"),
    said("cluster_state is fail", "cluster_state 是 fail"),
    said("no node runs", "没有节点在运行"),
    said("{0} of {1} nodes that run say fail", "{1} 个运行的节点中有 {0} 个报告 fail"),
    said("{0} slots have no live owner", "{0} 个槽没有活着的主人"),
    said("{0} slots have no owner", "{0} 个槽没有主人"),
    said("the owner of {0} slots is suspected", "{0} 个槽的主人被怀疑"),
    said("it is not running: nobody to ask", "它没有运行：没人可问"),
    said("{0} is not running: nobody to ask", "{0} 没有运行：没人可问"),
    said("no master serves", "没有主节点在服务"),
    said("{0} nodes are masters", "有 {0} 个主节点"),
    said("1 node is", "1 个节点"),
    said("{0} nodes are", "{0} 个节点"),
    said("{0} held for down by a sentinel", "{0}被哨兵认为已下线"),
    said("cluster_state is not ok", "cluster_state 不是 ok"),
    said("not all slots are assigned: {0}/{1}", "槽没有全部分配：{0}/{1}"),
    said("{0} slots belong to failed nodes", "{0} 个槽属于 FAIL 的节点"),
];

/// What an exercise asks for, and what the run has instead.
pub const VERDICTS: &[Said] = &[
    said("{0} says cluster_state:{1}", "{0} 报告 cluster_state:{1}"),
    said("{0} is a master", "{0} 是主节点"),
    said("{0} is a replica of {1}", "{0} 是 {1} 的从节点"),
    said("{0} owns {1} slots", "{0} 有 {1} 个槽"),
    said("{0} owns the slots {1}", "{0} 有槽 {1}"),
    said("currentEpoch of {0} is {1}", "{0} 的 currentEpoch 是 {1}"),
    said("a replica", "某个从节点"),
    said("{0} takes over the slots of {1} within {2} of its fault", "{0} 在 {1} 出故障后 {2} 之内接管它的槽"),
    said("{0} takes over the slots of {1}", "{0} 接管 {1} 的槽"),
    said("nobody takes over the slots of {0}", "没有节点接管 {0} 的槽"),
    said("no failover happens", "没有发生故障转移"),
    said("{0} says that it cannot fail over: {1}", "{0} 说它不能做故障转移：{1}"),
    said("{0} migrates to {1}", "{0} 转移到 {1}"),
    said("another master", "另一个主节点"),
    said("{0} knows {1}", "{0} 认识 {1}"),
    said("{0} does not know {1}", "{0} 不认识 {1}"),
    said("no running node knows {0}", "没有运行的节点认识 {0}"),
    said("writes of {0}: {1}", "{0} 的写：{1}"),
    said("all clients", "所有客户端"),
    said("{0} is in sync with its master", "{0} 已与主节点同步"),
    said("{0} is not in sync with its master", "{0} 没有与主节点同步"),
    said("{0} on {1} is {2}", "{1} 上的 {0} 是 {2}"),
    said("{0} has no {1}", "{0} 没有 {1}"),
    said("the cluster is {0} in the eyes of {1}", "在 {1} 看来集群是 {0}"),
    said("every running node", "每个运行的节点"),
    said("redis-cli is done", "redis-cli 已结束"),
    said("redis-cli is done with exit code {0}", "redis-cli 已结束，退出码 {0}"),
    said("redis-cli is done with exit code {0} and printed {1}", "redis-cli 已结束，退出码 {0}，并打印 {1}"),
    said("redis-cli is done and printed {0}", "redis-cli 已结束，并打印 {0}"),
    said("{0} replied {1}", "{0} 回答 {1}"),
    said("never: {0}", "从未发生：{0}"),
    said("{0}, {1} times", "{0}，{1} 次"),
    said("all running nodes agree on slots and roles", "所有运行的节点对槽和角色意见一致"),
    said("at least {0}", "至少 {0}"),
    said("at most {0}", "最多 {0}"),
    said("acknowledged {0}", "已确认 {0}"),
    said("kept {0}", "保住 {0}"),
    said("lost {0}", "丢失 {0}"),
    said("refused {0}", "被拒绝 {0}"),
    said("unknown {0}", "结果不明 {0}"),
    said("unserved {0}", "没有得到服务 {0}"),
    said("stale reads {0}", "读到旧值 {0}"),
    said("{0} sent", "发出 {0}"),
    said("{0} acknowledged", "已确认 {0}"),
    said("{0} kept", "保住 {0}"),
    said("{0} lost", "丢失 {0}"),
    said("{0} refused", "被拒绝 {0}"),
    said("{0} unknown", "结果不明 {0}"),
    said("{0} unserved", "没有得到服务 {0}"),
    said("{0} stale reads", "读到旧值 {0}"),
    said("{0} stale reads ({1})", "读到旧值 {0}（{1}）"),
    said("{0} is a replica", "{0} 是从节点"),
    said("{0} is down", "{0} 没有运行"),
    said("it is a replica", "它是从节点"),
    said("it is a master", "它是主节点"),
    said("it is a replica of {0}", "它是 {0} 的从节点"),
    said("it is down", "它没有运行"),
    said("it is {0}", "它是 {0}"),
    said("there was none", "没有发生"),
    said("{0} was promoted at {1}", "{0} 在 {1} 升为主节点"),
    said("it said nothing", "它什么也没说"),
    said("it said {0}", "它说 {0}"),
    said("it stayed", "它没有动"),
    said("it moved to {0}", "它转移到了 {0}"),
    said("{0} never had a cluster id", "{0} 从来没有过集群 ID"),
    said("knows it", "认识"),
    said("does not", "不认识"),
    said("it has no master", "它没有主节点"),
    said("the state of the link is {0}", "链路状态是 {0}"),
    said("there is no such key", "没有这个键"),
    said("it does not answer", "它没有回答"),
    said("it has not replied to any command", "它还没有回答过任何命令"),
    said("it replied {0}", "它回答 {0}"),
    said("it did not happen", "没有发生"),
    said("{0} times, first at {1}", "{0} 次，第一次在 {1}"),
    said("no node is running", "没有节点在运行"),
    said("all of them", "全部如此"),
    said("it was never run", "从未运行"),
    said("it still runs; its last line: {0}", "还在运行；最后一行：{0}"),
    said("its exit code is {0}; its last line: {1}", "退出码是 {0}；最后一行：{1}"),
    said("it did not; its last line: {0}", "没有；最后一行：{0}"),
    said("its last line: {0}", "最后一行：{0}"),
    said("it owns none", "它一个槽也没有"),
    said("it owns {0}", "它有 {0}"),
    said("nobody took over the slots of {0}", "没有节点接管 {0} 的槽"),
    said("{0} took over {1} after the fault", "{0} 在故障后 {1} 接管"),
    said("{0} took over", "{0} 已接管"),
    said("in this order", "次序如此"),
    said("{0} and {1} differ on who owns some slot", "{0} 和 {1} 对某个槽归谁看法不同"),
    said("{0} and {1} differ on who is a replica of whom", "{0} 和 {1} 对谁是谁的从节点看法不同"),
    said("they do", "确实如此"),
    said("{0}: {1}", "{0}：{1}"),
];

/// What the inspector shows of a node or a link: names and values.
pub const INSPECTED: &[Said] = &[
    said("process", "进程"),
    said("state", "状态"),
    said("stopped", "已停止"),
    said("paused", "已暂停"),
    said("starting", "正在启动"),
    said("address", "地址"),
    said("bus port", "总线端口"),
    said("host", "主机"),
    said("rack", "机架"),
    said("zone", "可用区"),
    said("started", "启动次数"),
    said("{0} times", "{0} 次"),
    said("once", "1 次"),
    said("clock is off by", "时钟偏差"),
    said("disk", "磁盘"),
    said("full", "已满"),
    said("fsync takes", "fsync 耗时"),
    said("{0} more", "多用 {0}"),
    said("inputs that wait", "等待处理的输入"),
    said("program", "程序"),
    said("redis-sentinel: see the panel of sentinels", "redis-sentinel：见哨兵面板"),
    said("data", "数据"),
    said("keys", "键"),
    said("bytes of keys and values", "键和值的字节数"),
    said("clients", "客户端"),
    said("loading", "正在载入"),
    said("yes", "是"),
    said("writes are paused for", "写入还要暂停"),
    said("replication", "复制"),
    said("offset", "偏移量"),
    said("master", "主节点"),
    said("replica", "从节点"),
    said("link", "链路"),
    said("none", "无"),
    said("to be opened", "待建立"),
    said("connecting", "正在连接"),
    said("waits for PONG", "等待 PONG"),
    said("introduces itself", "自我介绍"),
    said("waits for the answer to PSYNC", "等待 PSYNC 的回答"),
    said("receives all data", "接收全部数据"),
    said("replica {0}:{1}", "从节点 {0}:{1}"),
    said("{0}, acknowledged {1} bytes less", "{0}，确认还差 {1} 字节"),
    said("cluster", "集群"),
    said("role", "角色"),
    said("slots", "槽"),
    said("masters with slots", "有槽的主节点"),
    said("election", "选举"),
    said("in {0} ms", "{0} ms 之后"),
    said("{0} ms ago", "{0} ms 之前"),
    said("{0}, rank {1}, votes {2}", "{0}，排名 {1}，得票 {2}"),
    said("{0}, rank {1}, votes {2}, asked in epoch {3}", "{0}，排名 {1}，得票 {2}，在纪元 {3} 请求"),
    said("cannot take over", "不能接管"),
    said(
        "its data is too old: it was cut off from its master for longer than cluster-replica-validity-factor allows",
        "数据太旧：与主节点断开的时间超过了 cluster-replica-validity-factor 允许的长度",
    ),
    said("its election delay has not passed", "选举前的等待时间还没过"),
    said("its attempt has expired", "这次尝试已过期"),
    said("a majority of votes is still missing", "还没有得到多数票"),
    said("manual failover", "手动故障转移"),
    said("given up in {0} ms", "{0} ms 之后放弃"),
    said("slot {0}", "槽 {0}"),
    said("migrating to {0}", "正在迁往 {0}"),
    said("importing from {0}", "正从 {0} 迁入"),
    said("packets sent, received", "报文：发出，收到"),
    said("{0} and {1}", "{0} 和 {1}"),
    said("connections", "连接"),
    said("bus connections", "总线连接"),
    said("{0} of 2", "2 条中的 {0} 条"),
    said("cut, data waits", "已切断，数据在等"),
    said("cut", "已切断"),
    said("data on the way", "数据在途"),
    said("quiet", "没有动静"),
    said("{0} to {1}", "{0} 到 {1}"),
    said("slower by", "变慢"),
    said("never", "从未"),
    said("{0}, last PONG {1}, {2} reports of failure", "{0}，上次 PONG {1}，{2} 个失败报告"),
    said("{0} holds {1} for", "{0} 认为 {1}"),
];

/// A text, with the pieces between its places.
struct Shape {
    pieces: Vec<&'static str>,
    said: Said,
}

/// Those with more words of their own come first: they are the more particular ones.
fn shapes(table: &[Said]) -> Vec<Shape> {
    let mut all: Vec<Shape> = table.iter().map(|&said| Shape { pieces: pieces(said.en), said }).collect();
    all.sort_by_key(|s| std::cmp::Reverse(s.pieces.iter().map(|p| p.len()).sum::<usize>()));
    all
}

fn pieces(text: &'static str) -> Vec<&'static str> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push(before);
        rest = after.split_once('}').map_or("", |(_, rest)| rest);
    }
    out.push(rest);
    out
}

/// What stands at the places of a text that has these pieces.
fn parts<'a>(text: &'a str, pieces: &[&str]) -> Option<Vec<&'a str>> {
    let (first, rest) = pieces.split_first()?;
    let mut left = text.strip_prefix(first)?;
    let Some((last, middle)) = rest.split_last() else { return left.is_empty().then(Vec::new) };
    let mut out = Vec::new();
    for piece in middle {
        let (part, after) = left.split_once(piece)?;
        out.push(part);
        left = after;
    }
    out.push(left.strip_suffix(last)?);
    out.iter().all(|part| !part.is_empty()).then_some(out)
}

fn chinese(text: &str, shapes: &[Shape]) -> String {
    if let Some((shape, parts)) = shapes.iter().find_map(|s| Some((s, parts(text, &s.pieces)?))) {
        let parts: Vec<String> = parts.into_iter().map(|part| chinese(part, shapes)).collect();
        let parts: Vec<&dyn std::fmt::Display> = parts.iter().map(|p| p as &dyn std::fmt::Display).collect();
        return shape.said.with(Lang::Zh, &parts);
    }
    if text.contains(", ") {
        let each: Vec<String> = text.split(", ").map(|part| chinese(part, shapes)).collect();
        // A list of names is left alone.
        if each.iter().zip(text.split(", ")).any(|(zh, en)| zh != en) {
            return each.join("，");
        }
    }
    text.to_string()
}

/// An event or a reason of health, without the name of its host.
pub fn event(text: String, lang: Lang) -> String {
    static SHAPES: OnceLock<Vec<Shape>> = OnceLock::new();
    match lang {
        Lang::En => text,
        Lang::Zh => chinese(&text, SHAPES.get_or_init(|| shapes(EVENTS))),
    }
}

/// What a check asks for, or what it found.
pub fn verdict(text: &str, lang: Lang) -> String {
    static SHAPES: OnceLock<Vec<Shape>> = OnceLock::new();
    match lang {
        Lang::En => text.to_string(),
        Lang::Zh => chinese(text, SHAPES.get_or_init(|| shapes(VERDICTS))),
    }
}

/// A name or a value of the inspector.
pub fn inspected(text: &str, lang: Lang) -> String {
    static SHAPES: OnceLock<Vec<Shape>> = OnceLock::new();
    match lang {
        Lang::En => text.to_string(),
        Lang::Zh => chinese(text, SHAPES.get_or_init(|| shapes(INSPECTED))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_what_stands_in_them_are_translated() {
        let zh = |text: &str| event(text.to_string(), Lang::Zh);
        assert_eq!(zh("votes for n4 in epoch 7"), "在纪元 7 投票给 n4");
        assert_eq!(
            zh("refuses n7 its vote: it has voted in epoch 7 already"),
            "拒绝投票给 n7：它在纪元 7 已经投过票"
        );
        assert_eq!(zh("sees 5461 slots of n1 with n4"), "看到 n1 的 5461 个槽 归了 n4");
        assert_eq!(
            zh("believes that replica 127.0.0.1:7001 is down"),
            "认为 从节点 127.0.0.1:7001 已下线（主观）"
        );
        assert_eq!(zh("is sent SET a b, answers OK"), "收到命令 SET a b，回答 OK");
        assert_eq!(zh("something else"), "something else");
        assert_eq!(event("loses power".into(), Lang::En), "loses power");
    }

    #[test]
    fn a_verdict_is_translated_part_by_part() {
        let zh = |text: &str| verdict(text, Lang::Zh);
        assert_eq!(zh("n4 is a replica of n1"), "n4 是 n1 的从节点");
        assert_eq!(zh("n1: does not, n2: does not"), "n1：不认识，n2：不认识");
        assert_eq!(
            zh("writes of all clients: acknowledged at least 3000, lost 0"),
            "所有客户端 的写：已确认 至少 3000，丢失 0"
        );
    }

    #[test]
    fn each_text_is_there_once_and_finds_itself() {
        for table in [EVENTS, VERDICTS, INSPECTED] {
            let all = shapes(table);
            for said in table {
                assert_eq!(table.iter().filter(|s| s.en == said.en).count(), 1, "{}", said.en);
                let text = said.with(Lang::En, &[&"A1", &"B2", &"C3", &"D4"]);
                let wanted = said.with(Lang::Zh, &[&"A1", &"B2", &"C3", &"D4"]);
                assert_eq!(chinese(&text, &all), wanted, "{text}");
            }
        }
    }
}
