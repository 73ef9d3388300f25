//! The panels of the lower half: which there are, and what they are called.

use super::Model;
use super::words::{Said, said};

/// What the lower half shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Panel {
    Events,
    Inspector,
    Topology,
    Beliefs,
    Slot,
    Sentinels,
    Writes,
    Votes,
    Packets,
    Health,
    Futures,
    Console,
}

impl Panel {
    pub const ALL: [Panel; 12] = [
        Panel::Events,
        Panel::Inspector,
        Panel::Topology,
        Panel::Beliefs,
        Panel::Slot,
        Panel::Sentinels,
        Panel::Writes,
        Panel::Votes,
        Panel::Packets,
        Panel::Health,
        Panel::Futures,
        Panel::Console,
    ];

    /// As `--view` names it.
    pub fn name(self) -> &'static str {
        self.title().en
    }

    /// What it is called on the screen.
    pub fn title(self) -> Said {
        match self {
            Panel::Events => said("Events", "事件"),
            Panel::Inspector => said("Inspector", "检视"),
            Panel::Topology => said("Topology", "拓扑"),
            Panel::Beliefs => said("Beliefs", "看法"),
            Panel::Slot => said("Slot", "槽"),
            Panel::Sentinels => said("Sentinels", "哨兵"),
            Panel::Writes => said("Writes", "写入"),
            Panel::Votes => said("Votes", "投票"),
            Panel::Packets => said("Packets", "报文"),
            Panel::Health => said("Health", "健康"),
            Panel::Futures => said("Futures", "未来"),
            Panel::Console => said("Console", "控制台"),
        }
    }

    /// The key that chooses it in the menu of panels.
    pub fn letter(self) -> char {
        match self {
            Panel::Events => 'e',
            Panel::Inspector => 'i',
            Panel::Topology => 't',
            Panel::Beliefs => 'b',
            Panel::Slot => 's',
            Panel::Sentinels => 'n',
            Panel::Writes => 'w',
            Panel::Votes => 'v',
            Panel::Packets => 'p',
            Panel::Health => 'h',
            Panel::Futures => 'f',
            Panel::Console => 'c',
        }
    }

    /// What it shows, for the menu.
    pub fn what(self) -> Said {
        match self {
            Panel::Events => said("what happened, in order", "按顺序发生的事"),
            Panel::Inspector => said("everything about the selected node", "选中节点的一切"),
            Panel::Topology => {
                said("shards, replicas, offsets, places, links", "分片、从节点、偏移量、位置、链路")
            }
            Panel::Beliefs => said("who believes what about whom", "谁对谁怎么看"),
            Panel::Slot => said(
                "one slot: who owns it according to each, its keys",
                "一个槽：各节点认为属于谁，其中的键",
            ),
            Panel::Sentinels => said("each sentinel's state, timers and votes", "每个哨兵的状态、计时与投票"),
            Panel::Writes => said("what became of the clients' writes", "客户端的写入结果如何"),
            Panel::Votes => said("who voted for whom, and why others lost", "谁投给谁，别人为何落选"),
            Panel::Packets => said("messages of the cluster bus around now", "此刻前后的总线报文"),
            Panel::Health => said("the verdict of a monitor, by node", "监控的结论，按节点"),
            Panel::Futures => said("two futures side by side", "两个未来并排"),
            Panel::Console => said("commands to nodes, faults, redis-cli", "节点命令、故障、redis-cli"),
        }
    }

    /// Whether there is something to show in it for this deployment.
    pub fn fits(self, m: &Model) -> bool {
        let plan = &m.timeline().world().plan;
        let sentinels = plan.nodes.iter().any(|n| n.sentinel.is_some());
        let cluster = plan.nodes.iter().any(|n| n.conf.cluster_enabled && n.sentinel.is_none());
        match self {
            Panel::Sentinels => sentinels,
            Panel::Beliefs | Panel::Slot | Panel::Packets | Panel::Health | Panel::Votes => {
                cluster || !sentinels
            }
            Panel::Writes => !plan.clients.is_empty(),
            _ => true,
        }
    }

    /// The panels of a deployment, in order.
    pub fn of(m: &Model) -> Vec<Panel> {
        Panel::ALL.into_iter().filter(|p| p.fits(m)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_differ() {
        for (i, p) in Panel::ALL.iter().enumerate() {
            assert!(Panel::ALL[..i].iter().all(|q| q.letter() != p.letter()), "{p:?}");
        }
    }
}
