"""What kinds of photo people's captions tell of: a mean over all photos hides what goes wrong."""

import math
from collections.abc import Mapping, Sequence

from models.degenerate import content_words

NAMED = 0.4  # the share of a photo's captions that name a kind: two of five
OTHER = "other"
LANDSCAPE = "landscape"

# Content words as `content_words` gives them, English ones in the singular where that adds no more
# than an s. The words of the outdoors make a landscape where captions name no people or animals.
_OUTDOORS = "outdoors"
_ENGLISH = {
    "people": """man men woman women boy girl child children kid toddler baby babies infant person
        people lady ladies guy adult teen teenager teenage couple crowd family friend player team
        skier surfer snowboarder skateboarder climber hiker biker bicyclist cyclist rider runner
        swimmer dancer singer performer musician worker soldier officer policeman fireman cowboy
        bride groom mother father son daughter brother sister someone male female human pedestrian
        athlete gymnast wrestler boxer racer jogger individual gentleman passenger spectator goalie
        batter pitcher catcher motorcyclist driver chef cook student tourist clown fisherman
        skater""",
    "animals": """dog doggy puppy puppies cat kitten kitty horse pony ponies bird cow calf cattle
        bull sheep lamb goat deer elephant giraffe zebra bear monkey duck goose geese swan seagull
        gull pigeon parrot eagle owl hawk pelican chicken rooster fish shark turtle rabbit squirrel
        camel llama donkey pig lion tiger fox wolf wolves animal pet hound greyhound poodle
        retriever terrier collie labrador lab bulldog dalmatian dalmation dachshund rottweiler
        husky beagle doberman chihuahua butterfly insect bee snake lizard penguin seal dolphin
        whale canine""",
    "sport": """soccer football basketball baseball tennis volleyball rugby hockey softball cricket
        lacrosse golf golfer ski skiing skier snowboard snowboarder snowboarding surf surfer
        surfing surfboard skateboard skateboarder skateboarding skater wakeboard wakeboarder
        wakeboarding bmx motocross gymnast gymnastic wrestler boxing boxer karate racing racer
        marathon kayaking kayak rafting athlete batter pitcher goalie referee quarterback
        cheerleader racket racquet bat windsurfing parasailing paragliding tournament snowmobile
        rollerblading rollerblader skating""",
    _OUTDOORS: """ocean sea beach mountain hill hillside valley cliff canyon rock rocky boulder
        field meadow grass grassy forest wood woods wooded tree snow snowy snow-covered lake river
        pond creek stream waterfall desert sand sandy sky sunset sunrise cloud park garden road
        path trail street city building bridge skyline tower landscape shore coast""",
    "indoor": """indoor indoors room kitchen bedroom bathroom livingroom couch sofa bed carpet
        hallway restaurant office desk refrigerator fridge oven stove microwave toilet sink bathtub
        shower tv television monitor laptop counter cabinet dresser fireplace gym gymnasium
        classroom supermarket aisle museum library bowling escalator elevator arcade ceiling rug
        cafe pub""",
    "water": """water ocean sea lake river pool pond stream creek puddle wave surf surfer surfing
        surfboard swim swimming swimmer fountain waterfall splash splashing sprinkler boat kayak
        canoe rafting wakeboarder wakeboarding wakeboard sail sailboat ship dock pier harbor bay
        shore diving snorkel scuba hose underwater waterslide""",
    "vehicles": """car truck bus buses van taxi cab train tram trolley motorcycle motorcyclist
        motorbike moped scooter bike biker biking bicycle bicyclist cyclist boat sailboat ship
        ferry kayak canoe rowboat airplane plane jet aircraft helicopter tractor atv jeep suv
        vehicle automobile cart carriage wagon buggy tricycle bmx motocross racecar ambulance
        snowmobile subway""",
    "food": """food pizza sandwich sandwiches burger hamburger hotdog cake bread donut doughnut
        fruit banana apple vegetable broccoli carrot salad soup pasta rice meat cheese dessert meal
        lunch dinner breakfast plate bowl""",
}
_KOREAN = {
    "people": """남자 여자 소년 소녀 아이 어린이 꼬마 아기 유아 사람 남성 여성 남녀 아가씨 어른
        성인 십대 청소년 청년 노인 할머니 할아버지 부부 커플 연인 군중 관중 가족 친구 선수 팀
        무용수 가수 연주자 음악가 군인 경찰 경찰관 소방관 카우보이 신부 신랑 엄마 아빠 어머니
        아버지 형제 자매 누군가 보행자 행인 승객 관객 심판 투수 타자 포수 골키퍼 요리사 학생 관광객
        광대 낚시꾼 등반가 서퍼 스키어 스노보더 스케이트보더 라이더 등산객 인부 노동자 남매
        운전자""",
    "animals": """개 강아지 고양이 말 조랑말 새 소 송아지 황소 양 염소 사슴 코끼리 기린 얼룩말 곰
        원숭이 오리 거위 백조 갈매기 비둘기 앵무새 독수리 닭 물고기 상어 거북이 토끼 다람쥐 낙타
        당나귀 돼지 사자 호랑이 여우 늑대 동물 사냥개 그레이하운드 푸들 리트리버 테리어 콜리
        래브라도 불도그 불독 달마티안 달마시안 닥스훈트 로트와일러 허스키 비글 셰퍼드 도베르만
        치와와 펭귄 바다표범 돌고래""",
    "sport": """축구 축구공 미식축구 미식축구공 농구 농구공 야구 야구공 테니스 배구 럭비 하키
        소프트볼 크리켓 라크로스 골프 스키 스노보드 서핑 서퍼 서프보드 스케이트보드 스케이트보더
        스케이트 스노보더 스키어 웨이크보드 모터크로스 체조 레슬링 권투 가라테 경주 마라톤 카약
        래프팅 경기 선수 투수 타자 골키퍼 심판 치어리더 라켓 윈드서핑 패러글라이딩 스노모빌
        인라인스케이트 운동선수""",
    _OUTDOORS: """바다 해변 산 언덕 계곡 절벽 협곡 바위 들판 초원 풀밭 잔디 잔디밭 풀 숲 나무 눈
        눈밭 호수 강 연못 시내 개울 폭포 사막 모래 하늘 노을 석양 일출 구름 공원 정원 길 도로 거리
        도시 건물 다리 탑 풍경 해안 물가""",
    "indoor": """실내 방 부엌 주방 침실 욕실 화장실 거실 소파 침대 카펫 복도 식당 레스토랑 사무실
        책상 냉장고 오븐 전자레인지 변기 싱크대 욕조 텔레비전 티브이 모니터 노트북 조리대 벽난로
        체육관 교실 슈퍼마켓 박물관 도서관 볼링 볼링장 에스컬레이터 오락실 천장 러그 카페 술집""",
    "water": """물 물속 바다 호수 강 수영장 연못 시내 개울 웅덩이 물웅덩이 파도 서핑 서퍼 서프보드
        수영 헤엄치다 분수 폭포 물보라 스프링클러 배 보트 카약 카누 래프팅 웨이크보드 돛단배 요트
        부두 항구 해안 잠수 다이빙 스노클 호스 물가 수중 물장구 바닷물""",
    "vehicles": """자동차 차 트럭 버스 밴 택시 기차 전차 오토바이 스쿠터 자전거 세발자전거 배 보트
        돛단배 요트 카약 카누 비행기 제트기 헬리콥터 트랙터 지프 차량 수레 마차 모터크로스 경주차
        구급차 스노모빌 지하철 카트 버기 산악자전거""",
    "food": """음식 피자 샌드위치 햄버거 핫도그 케이크 빵 도넛 과일 바나나 사과 채소 야채 브로콜리
        당근 샐러드 수프 파스타 밥 고기 치즈 디저트 식사 접시 그릇""",
}
_KINDS = {
    language: {kind: frozenset(words.split()) for kind, words in kinds.items()}
    for language, kinds in (("en", _ENGLISH), ("ko", _KOREAN))
}


def photo_kinds(captions: Sequence[str], language: str) -> tuple[str, ...]:
    """Tell what kinds a photo is of, by what people wrote: those that 40% of the captions name.

    It may be of several; of none it is `other`. A `landscape` is outdoors with no people or animals
    named. `language` is a BCP 47 tag; nothing is told where no words are listed for it.
    """
    kinds = _KINDS.get(language.partition("-")[0].lower())
    if kinds is None:
        return ()
    named = _named(captions, language, kinds)
    if _OUTDOORS in named and not {"people", "animals"} & set(named):
        named.append(LANDSCAPE)
    return tuple(kind for kind in named if kind != _OUTDOORS) or (OTHER,)


def _named(
    captions: Sequence[str], language: str, kinds: Mapping[str, frozenset[str]]
) -> list[str]:
    said = [_singular(content_words(caption, language)) for caption in captions]
    enough = math.ceil(NAMED * len(captions))
    return [
        kind
        for kind, words in kinds.items()
        if sum(not words.isdisjoint(caption) for caption in said) >= enough
    ]


def _singular(words: frozenset[str]) -> frozenset[str]:
    return words | {word.removesuffix("s") for word in words}
