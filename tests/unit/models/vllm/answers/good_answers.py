"""Answers that a good model gives, by language, profile and transcript: the gate must find nothing in them."""

from typing import Any, Final

ENGLISH: Final = (
    "Good morning, this is the repair desk. What can I do for you?",
    "My dishwasher leaks, and the kitchen floor is wet again.",
    "Did you close the water tap below the sink?",
    "Yes, on Monday. It still drips, about two liters a night.",
    "Then the valve is broken. A new one costs 48 euros, the visit 60.",
    "That is fine. Can Peter come on Thursday at nine?",
    "Thursday at nine works. Please clear the cupboard before he arrives.",
    "I will. The address is 12 Mill Lane, and my account is 89370400440532013000.",
)
KOREAN: Final = (
    "안녕하세요, 오늘 회의는 여름 행사 준비에 대한 것입니다.",
    "장소는 시청 앞 광장으로 정했고, 날짜는 칠월 십이일입니다.",
    "비가 오면 체육관을 쓸 수 있는지 수진 씨가 확인해 주세요.",
    "네, 내일까지 확인하겠습니다. 의자는 삼백 개가 필요합니다.",
    "예산은 작년과 같은 오백만 원이고, 음향 장비는 Yamaha 제품을 빌립니다.",
    "홍보물은 이번 주 금요일에 인쇄소로 보냅니다.",
    "좋습니다. 다음 회의는 월요일 오전 열 시입니다.",
)
CHINESE: Final = (
    "大家好,今天我们讨论新图书馆的开放时间。",
    "读者希望周末也能借书,尤其是星期六下午。",
    "周末需要增加三名工作人员,每月费用大约两万元。",
    "李老师,请你在星期五之前做一份预算。",
    "好的,我会在星期四晚上发给大家。",
    "另外,二楼的电脑坏了五台,要请人来修。",
    "那就这样,下次会议定在十月八日上午九点。",
)

GOOD: Final[dict[str, tuple[tuple[str, ...], list[tuple[str, Any]]]]] = {
    "en": (
        ENGLISH,
        [
            (
                "summary",
                {
                    "summary": "A caller reports a leaking dishwasher. The desk finds that the valve is broken: a "
                    "new one costs 48 euros, the visit 60. Peter comes on Thursday at nine.",
                    "segment_ids": [1, 4, 5, 6],
                },
            ),
            (
                "summary",
                {"summary": "A broken valve makes a dishwasher leak; a repair is agreed.", "segment_ids": []},
            ),
            (
                "key_points",
                {
                    "key_points": [
                        {"text": "The dishwasher leaks about two liters a night.", "segment_ids": [1, 3]},
                        {"text": "The valve is broken; a new one costs 48 euros.", "segment_ids": [4]},
                        {"text": "The visit costs 60 euros.", "segment_ids": [4]},
                        {"text": "Peter comes on Thursday at nine.", "segment_ids": [5, 6]},
                    ]
                },
            ),
            (
                "action_items",
                {
                    "action_items": [
                        {"task": "Repair the dishwasher", "owner": "Peter", "due": "Thursday", "segment_ids": [5]},
                        {"task": "Clear the cupboard", "owner": None, "due": "Thursday", "segment_ids": [6]},
                    ]
                },
            ),
            ("action_items", {"action_items": []}),
            (
                "topics",
                {"topics": [{"name": "leak", "segment_ids": [1]}, {"name": "repair costs", "segment_ids": [4]}]},
            ),
            (
                "entities",
                {
                    "entities": [
                        {"text": "Peter", "kind": "person", "segment_ids": [5]},
                        {"text": "48 euros", "kind": "amount", "segment_ids": [4]},
                        {"text": "60 euros", "kind": "amount", "segment_ids": [4]},
                        {"text": "12 Mill Lane", "kind": "place", "segment_ids": [7]},
                        {"text": "89370400440532013000", "kind": "other", "segment_ids": [7]},
                    ]
                },
            ),
            ("entities", {"entities": []}),
            ("sentiment", {"sentiment": "neutral", "reason": "Both speak calmly and agree.", "segment_ids": [5]}),
            (
                "chapters",
                {
                    "chapters": [
                        {"title": "The leak", "summary": "The caller describes the leak.", "segment_ids": [0]},
                        {"title": "The repair", "summary": "A visit is agreed.", "segment_ids": [4]},
                    ]
                },
            ),
            ("title", {"title": "Dishwasher repair"}),
            ("title", {"title": "Leak"}),
            ("instruction", "The dishwasher leaks because its valve is broken. Peter repairs it on Thursday."),
            ("instruction", "Leaking dishwasher\n==================\n\n1. The valve is broken.\n2. Peter comes."),
            ("instruction", "- 48 euros for the valve\n- 60 euros for the visit\n- 108 euros in all"),
            ("instruction", "No, no, no: the caller says that the tap is closed, and that it is the valve."),
        ],
    ),
    "ko": (
        KOREAN,
        [
            (
                "summary",
                {
                    "summary": "여름 행사를 준비하는 회의이다. 장소는 시청 앞 광장, 날짜는 칠월 십이일이다. "
                    "비가 올 때는 체육관을 쓸 수 있는지 확인한다. 예산은 오백만 원이다.",
                    "segment_ids": [0, 1, 2, 4],
                },
            ),
            (
                "key_points",
                {
                    "key_points": [
                        {"text": "행사는 칠월 십이일 시청 앞 광장에서 열린다.", "segment_ids": [1]},
                        {"text": "의자 삼백 개가 필요하다.", "segment_ids": [3]},
                        {"text": "예산은 작년과 같이 오백만 원이다.", "segment_ids": [4]},
                    ]
                },
            ),
            (
                "action_items",
                {
                    "action_items": [
                        {"task": "체육관 사용 확인", "owner": "수진", "due": "내일", "segment_ids": [2, 3]},
                        {"task": "홍보물 인쇄소에 보내기", "owner": None, "due": "금요일", "segment_ids": [5]},
                    ]
                },
            ),
            ("action_items", {"action_items": []}),
            (
                "topics",
                {"topics": [{"name": "행사 장소", "segment_ids": [1]}, {"name": "예산", "segment_ids": [4]}]},
            ),
            (
                "entities",
                {
                    "entities": [
                        {"text": "수진", "kind": "person", "segment_ids": [2]},
                        {"text": "Yamaha", "kind": "product", "segment_ids": [4]},
                        {"text": "시청 앞 광장", "kind": "place", "segment_ids": [1]},
                    ]
                },
            ),
            ("sentiment", {"sentiment": "positive", "reason": "모두 계획에 동의한다.", "segment_ids": [6]}),
            ("sentiment", {"sentiment": "neutral", "reason": "차분하게 일정을 정한다.", "segment_ids": []}),
            (
                "chapters",
                {
                    "chapters": [
                        {"title": "장소와 날짜", "summary": "행사의 장소와 날짜를 정한다.", "segment_ids": [0]},
                        {"title": "예산과 홍보", "summary": "예산과 홍보물을 이야기한다.", "segment_ids": [4]},
                    ]
                },
            ),
            ("title", {"title": "여름 행사 준비 회의"}),
            ("title", {"title": "행사 회의"}),
            ("instruction", "여름 행사의 장소, 날짜와 예산을 정하는 회의입니다. 수진 씨가 체육관을 확인합니다."),
            ("instruction", "1. 체육관 확인\n2. 홍보물 인쇄\n3. 의자 삼백 개 준비"),
            ("instruction", "The meeting is about a summer event on the square, and about what it may cost."),
        ],
    ),
    "zh": (
        CHINESE,
        [
            (
                "summary",
                {
                    "summary": "会议讨论新图书馆的开放时间。周末开放需要三名工作人员,"
                    "每月大约两万元。李老师在星期五之前做预算。",
                    "segment_ids": [0, 2, 3],
                },
            ),
            ("summary", {"summary": "会议决定先做预算,再讨论周末开放。", "segment_ids": [3]}),
            (
                "key_points",
                {
                    "key_points": [
                        {"text": "读者希望星期六下午也能借书。", "segment_ids": [1]},
                        {"text": "周末开放每月大约需要两万元。", "segment_ids": [2]},
                        {"text": "二楼有五台电脑要修。", "segment_ids": [5]},
                    ]
                },
            ),
            (
                "action_items",
                {
                    "action_items": [
                        {"task": "做一份预算", "owner": "李老师", "due": "星期五", "segment_ids": [3]},
                        {"task": "修电脑", "owner": None, "due": None, "segment_ids": [5]},
                    ]
                },
            ),
            ("action_items", {"action_items": []}),
            (
                "topics",
                {"topics": [{"name": "开放时间", "segment_ids": [0]}, {"name": "电脑", "segment_ids": [5]}]},
            ),
            (
                "entities",
                {
                    "entities": [
                        {"text": "李老师", "kind": "person", "segment_ids": [3]},
                        {"text": "两万元", "kind": "amount", "segment_ids": [2]},
                        {"text": "十月八日", "kind": "date", "segment_ids": [6]},
                    ]
                },
            ),
            ("entities", {"entities": []}),
            ("sentiment", {"sentiment": "neutral", "reason": "大家平静地讨论安排。", "segment_ids": [6]}),
            (
                "chapters",
                {
                    "chapters": [
                        {"title": "开放时间", "summary": "讨论周末是否开放。", "segment_ids": [0]},
                        {"title": "维修", "summary": "说明电脑的问题。", "segment_ids": [5]},
                    ]
                },
            ),
            ("title", {"title": "新图书馆开放时间会议"}),
            ("title", {"title": "会议"}),
            ("instruction", "会议讨论周末开放图书馆,李老师负责预算。"),
            ("instruction", "1. 做预算\n2. 修电脑\n3. 安排工作人员"),
        ],
    ),
}
"""Lines of the transcript, and its answers: the profile (``instruction``: text) with the value."""
