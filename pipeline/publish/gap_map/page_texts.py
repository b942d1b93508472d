"""The page's own words in both languages; names of statuses and the sentences of `explain` come
from `texts.py`.

Does not belong here: anything that the log, the tables or the report say too.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.publish.gap_map import palette
from pipeline.schema import texts
from pipeline.schema.tables import ALL, FIELDS, FLAGS, GAP_STATES, NO_DATA_REASONS

_PAGE_TEXTS: Mapping[str, tuple[str, str]] = {
    "title": ("Vùng lõm sóng di động", "Mobile coverage gaps"),
    "panel": ("Lựa chọn, chú giải, số liệu", "Choices, legend, figures"),
    "sheet": ("Lựa chọn, chú giải, số liệu", "Choices, legend, figures"),
    "operator": ("Nhà mạng", "Operator"),
    "view": ("Chỉ tiêu", "Show"),
    "view_verdict": ("Kết luận", "Verdict"),
    "view_mean": ("Tải xuống, trung bình", "Download, mean"),
    "view_median": ("Tải xuống, trung vị", "Download, median"),
    "view_upload": ("Tải lên", "Upload"),
    "view_latency": ("Độ trễ", "Latency"),
    "view_tests": ("Số phép đo", "Tests"),
    "view_month": ("Phép đo trong tháng (300)", "Tests in the month (300)"),
    "view_evidence": ("Bằng chứng", "Evidence"),
    "view_change": ("Thay đổi", "Change"),
    "choose_one": ("Tốc độ và độ trễ: chọn một nhà mạng (không gộp trung bình các mạng).", "Speeds and latency: choose one operator (networks are never pooled into one mean)."),
    "search": ("Tìm xã, phường, huyện cũ, xã cũ", "Find a commune, by its old names too"),
    "search_hint": ("Ví dụ: muong te", "e.g. muong te"),
    "found": ("{n} kết quả", "{n} found"),
    "legend": ("Chú giải", "Legend"),
    "legend_communes": ("{n} xã, phường; bỏ chọn để ẩn", "{n} communes; untick to hide"),
    "legend_cells": ("{n} ô lục giác (khi phóng to)", "{n} hexes (zoomed in)"),
    "unsure_note": ("nửa màu, gạch chéo: chưa đủ bằng chứng", "half tint, hatched: not enough evidence"),
    "key_none": ("không công bố hoặc chưa đo", "not published or not tested"),
    "key_known_all": ("mọi nhà mạng đã rõ", "every operator's verdict is known"),
    "key_known_some": ("một số nhà mạng đã rõ", "some operators' verdicts are known"),
    "key_known_none": ("chưa nhà mạng nào rõ", "no operator's verdict is known"),
    "key_confirmed": ("Chắc chắn", "Confirmed"),
    "key_probable": ("Nhiều khả năng", "Probable"),
    "key_weak_some": ("Yếu ở ít nhất một nhà mạng", "Weak for at least one operator"),
    "key_weak_none": ("Có đo, không yếu rõ rệt", "Tested, not clearly weak"),
    "new_gap": ("Lõm mới kết luận", "New gap (not called one before)"),
    "closed_gap": ("Lõm đã hết, nay đạt", "Closed gap, target met now"),
    "worse": ("Kém đi rõ rệt", "Clearly worse"),
    "better": ("Tốt lên rõ rệt", "Clearly better"),
    "no_change": ("Không thấy thay đổi", "No detectable change"),
    "not_comparable": ("Chưa so sánh được", "Not comparable"),
    "new_gap_short": ("lõm mới", "new"),
    "closed_gap_short": ("đã hết", "closed"),
    "better_short": ("tốt lên", "better"),
    "worse_short": ("kém đi", "worse"),
    "since": ("So với {period}", "Since {period}"),
    "top": ("Ưu tiên đầu tư", "Investment priorities"),
    "top_none": ("Không có vùng lõm được xác nhận hoặc nhiều khả năng.", "No confirmed or probable gap."),
    "measure_first": ("Cần đo thêm trước", "Measure first"),
    "card_hint": ("Chọn một xã trên bản đồ hoặc trong danh sách.", "Choose a commune on the map or in a list."),
    "close": ("Đóng", "Close"),
    "code": ("Mã", "Code"),
    "people": ("Dân số", "People"),
    "tests_month": ("Phép đo trong tháng", "Tests in the month"),
    "status": ("Kết luận", "Verdict"),
    "change": ("Thay đổi", "Change"),
    "mean": ("Trung bình", "Mean"),
    "median": ("Trung vị", "Median"),
    "upload": ("Tải lên", "Upload"),
    "latency": ("Độ trễ", "Latency"),
    "interval": ("Khoảng 95 %", "95 % interval"),
    "lo": ("Cận dưới", "From"),
    "hi": ("Cận trên", "To"),
    "tests": ("Phép đo", "Tests"),
    "devices": ("Thiết bị", "Devices"),
    "ops_gap": ("Nhà mạng lõm", "Operators with a gap"),
    "ops_good": ("Nhà mạng đạt", "Operators that meet"),
    "ops_open": ("Nhà mạng chưa rõ", "Operators not known"),
    "why": ("Vì sao?", "Why?"),
    "borrowed_note": ("chắc chắn nhờ bằng chứng của các nhà mạng khác trong xã; khoảng 95 % chỉ từ thiết bị của chính nó",
                      "confirmed with the evidence of the commune's other operators; the 95 % interval is from its own devices alone"),
    "few": ("ít hơn {n} thiết bị: không công bố tốc độ", "fewer than {n} devices: no speed is published"),
    "window_of": ("cửa sổ {n} tháng", "window of {n} months"),
    "rank_why": ("Hạng {rank} (dao động {lo}–{hi}; theo chi phí {efficiency}): {people} người × độ sâu {depth} × xác suất lõm {chance} % = {waiting} người chờ kỳ vọng.",
                 "Rank {rank} (moves {lo}–{hi}; by cost {efficiency}): {people} people × depth {depth} × gap probability {chance} % = {waiting} expected person-gap."),
    "rank_weighted": ("Hạng {rank} (dao động {lo}–{hi}; theo chi phí {efficiency}): {people} người × độ sâu {depth} × xác suất lõm {chance} % = {waiting} người chờ kỳ vọng; {weights} = chỉ số {index}.",
                      "Rank {rank} (moves {lo}–{hi}; by cost {efficiency}): {people} people × depth {depth} × gap probability {chance} % = {waiting} expected person-gap; {weights} = index {index}."),
    "rank_only": ("Hạng {rank} (dao động {lo}–{hi}; theo chi phí {efficiency}).", "Rank {rank} (moves {lo}–{hi}; by cost {efficiency})."),
    "facilities": ("cơ sở công", "facilities"),
    "road": ("đường chính", "main road"),
    "cause": ("Nguyên nhân có thể", "Likely cause"),
    "action": ("Gợi ý", "Suggested"),
    "gap_areas": ("Vùng lõm trong xã", "Gap areas of the commune"),
    "formers": ("Các xã cũ", "Communes before the merger"),
    "fly": ("Bay tới", "Fly there"),
    "copy": ("Chép", "Copy"),
    "copied": ("Đã chép", "Copied"),
    "copy_gap": ("Chép mã", "Copy id"),
    "copy_place": ("Chép toạ độ", "Copy coordinates"),
    "copy_code": ("Chép mã xã", "Copy code"),
    "copy_cell": ("Chép mã ô H3", "Copy H3 id"),
    "cell": ("Ô", "Hex"),
    "cell_note": ("Ô H3 cấp {n}: chỉ cho thấy phân bố, kết luận là của xã.", "H3 cell of resolution {n}: the pattern only, the verdict is the commune's."),
    "weak": ("yếu", "weak"),
    "rank": ("Hạng", "Rank"),
    "window": ("Bằng chứng", "Evidence"),
    "take": ("Mang về", "Take away"),
    "save_csv": ("Tải CSV", "CSV of the view"),
    "save_png": ("Tải ảnh PNG", "PNG of the view"),
    "print": ("In (A4) / PDF", "Print (A4) / PDF"),
    "copy_link": ("Chép liên kết", "Copy link"),
    "show_table": ("Bảng số liệu", "Table"),
    "rows": ("{n} trong {all} xã", "{n} of {all} communes"),
    "district": ("Huyện cũ", "Former district"),
    "commune": ("Xã, phường", "Commune"),
    "period": ("Kỳ", "Period"),
    "notice": ("Ghi chú", "Notice"),
    "good": ("đạt", "met"),
    "bad": ("chưa đạt", "not met"),
    "open": ("chưa đủ bằng chứng", "not enough evidence"),
    "method": ("Một thiết bị một phiếu; kết luận theo xã từ các phép đo trong xã. Ô lục giác chỉ cho thấy phân bố.",
               "One device, one vote; the commune's verdict comes from its own tests. Hexes show the pattern only."),
    "sources": ("Nguồn và giấy phép", "Sources and licences"),
    "provinces": ("Bản đồ từng tỉnh", "A map of each province"),
    "province": ("Tỉnh, thành phố", "Province"),
    "whole_area": ("Bản đồ toàn khu vực", "Map of the whole area"),
    "map_label": ("Bản đồ các xã", "Map of the communes"),
    "picture_alt": ("Bản đồ kết luận theo xã; các số liệu trong bảng dưới đây", "Map of the communes' verdicts; figures in the table below"),
    "no_script": ("Trang này cần JavaScript để vẽ bản đồ tương tác; dưới đây là ảnh bản đồ và các ưu tiên đầu tiên.",
                  "This page needs JavaScript for the interactive map; below are its picture and the first priorities."),
}  # fmt: skip
_SENTENCES = ("explain_", "gate_")


def page_texts(lang: texts.Lang) -> dict[str, str]:
    """The page's own words, the names of statuses, classes, flags, reasons …, and the sentences
    that say why.
    """
    words = {
        *palette.STATUS_PAINT, *palette.CLASS_PAINT, *FLAGS, *NO_DATA_REASONS, *GAP_STATES, ALL,
        *(FIELDS["likely_cause"].among or ()), *(FIELDS["suggested_action"].among or ()),
    }  # fmt: skip
    own = {key: pair[lang == "en"] for key, pair in _PAGE_TEXTS.items()}
    assert not words & set(own), "one word, one place"
    sentences = {
        key: pair[lang == "en"] for key, pair in texts.LINES.items() if key.startswith(_SENTENCES)
    }
    return own | {key: texts.word(key, lang) for key in sorted(words)} | sentences
